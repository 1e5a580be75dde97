"""Comments on a merge request or an issue of GitLab, which calls them notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mlops_ci.adapters.forge_comments import Comment
from mlops_ci.adapters.gitlab_api import GitLabApi
from mlops_ci.adapters.rest_answer import Node

LONGEST = 1_000_000
"""Characters of a text that GitLab takes."""


class Notes:
    """Implements `forge_comments.Comments`."""

    def __init__(self, api: GitLabApi, kind: Literal["merge_requests", "issues"], number: int) -> None:
        self._api = api
        self._where = api.in_project(f"{kind}/{{}}/notes", number)
        self._page = f"{api.web_url}/-/{kind}/{number}"

    def ours(self) -> Sequence[Comment]:
        me = self._api.me.number("id")
        nodes = self._api.pages(self._where, query={"sort": "asc", "order_by": "created_at"})
        found = [node for node in nodes if node.has("author") and node.number("author", "id") == me]
        found = [node for node in found if not node.flag("system")]
        return [self._comment(node) for node in sorted(found, key=lambda node: node.number("id"))]

    def add(self, text: str) -> Comment:
        return self._comment(self._api.ask("POST", self._where, {"body": text}))

    def change(self, comment: Comment, text: str) -> Comment:
        return self._comment(self._api.ask("PUT", f"{self._where}/{comment.id}", {"body": text}))

    def remove(self, comment: Comment) -> None:
        self._api.ask("DELETE", f"{self._where}/{comment.id}", allow=(404,))

    def _comment(self, node: Node) -> Comment:
        number = node.number("id")
        return Comment(id=str(number), text=node.text("body"), url=f"{self._page}#note_{number}")
