"""Comments on a pull request of Azure DevOps: each begins a thread, which is closed so that no policy waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_ci.adapters.azure_devops_api import AzureDevOpsApi
from mlops_ci.adapters.forge_comments import Comment
from mlops_ci.adapters.rest_answer import Node

LONGEST = 150_000
"""Characters of a comment that Azure DevOps takes."""


class Threads:
    """Implements `forge_comments.Comments`."""

    def __init__(self, api: AzureDevOpsApi, number: int) -> None:
        self._api = api
        self._where = api.in_repository("pullRequests/{}/threads", number)
        self._page = f"{api.web_url}/pullrequest/{number}"

    def ours(self) -> Sequence[Comment]:
        threads = sorted(self._api.listed(self._where), key=lambda thread: thread.number("id"))
        return [comment for thread in threads for comment in self._first_if_ours(thread)]

    def add(self, text: str) -> Comment:
        first = {"parentCommentId": 0, "content": text, "commentType": "text"}
        thread = self._api.ask("POST", self._where, {"comments": [first], "status": "closed"})
        return self._comment(thread, next(thread.items("comments")))

    def change(self, comment: Comment, text: str) -> Comment:
        self._api.ask("PATCH", self._place(comment), {"content": text})
        return Comment(id=comment.id, text=text, url=comment.url)

    def remove(self, comment: Comment) -> None:
        self._api.ask("DELETE", self._place(comment), allow=(404,))

    def _first_if_ours(self, thread: Node) -> list[Comment]:
        first = next(thread.items("comments"), None)
        if first is None or (first.has("isDeleted") and first.flag("isDeleted")):
            return []
        ours = first.optional_text("author", "id") == self._api.my_id and first.optional_text("commentType") == "text"
        return [self._comment(thread, first)] if ours else []

    def _comment(self, thread: Node, comment: Node) -> Comment:
        number = thread.number("id")
        text, url = comment.optional_text("content"), f"{self._page}?discussionId={number}"
        return Comment(id=f"{number}/comments/{comment.number('id')}", text=text, url=url)

    def _place(self, comment: Comment) -> str:
        return f"{self._where}/{comment.id}"
