"""Comments, checks, issues, deployments, runs and releases on GitHub, each there once however often it is said.

What is ours is told by a mark that begins its text, and by who wrote it: anybody can copy a mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from mlops_ci.adapters.forge_comments import Comment, cut, key_of, line, mark, say_once
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.adapters.rest_api import ATTEMPTS, LostReplyError
from mlops_ci.core.digest import canonical_json
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Annotation, Order
from mlops_ci.ports.publishing import Conclusion, DeploymentState, StatusState

LONGEST = 65_536
"""Characters of a text that GitHub takes."""
LONGEST_SUMMARY = 65_535
LONGEST_LINE = 140
"""Characters of the description of a status or a deployment."""
LONGEST_TITLE = 255
ANNOTATIONS = 50
"""How many GitHub takes in one request."""
EARLIER = 10
"""How many deployments to look back for the one that this replaces."""


class GitHubPublisher:
    """Implements `ports.Publisher`."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    def comment(self, number: int, *, key: str, body: str, order: Order) -> str:
        place = _IssueComments(self._api, number)
        return say_once(self._api, place, key=key, body=body, order=order, longest=LONGEST).url

    def check(
        self,
        commit: str,
        *,
        name: str,
        conclusion: Conclusion,
        title: str,
        summary: str,
        annotations: Sequence[Annotation] = (),
    ) -> str:
        output = {"title": title[:LONGEST_TITLE], "summary": cut(summary, LONGEST_SUMMARY)}
        noted = [_annotation(each) for each in annotations]
        said = canonical_json([commit, name, conclusion, output, noted])
        ended = {"status": "completed", "conclusion": conclusion}
        external = f"mlops-ci/{sha256(said).hexdigest()}"
        new: dict[str, Any] = {"name": name, "head_sha": commit, "external_id": external, "status": "in_progress"}
        if len(noted) <= ANNOTATIONS:
            new |= ended
        new["output"] = {**output, "annotations": noted[:ANNOTATIONS]}

        def look() -> Node | None:
            where, query = self._path("commits/{}/check-runs", commit), {"check_name": name, "filter": "all"}
            runs = self._api.pages(where, query=query, key="check_runs")
            return next((run for run in runs if run.optional_text("external_id") == external), None)

        run = self._api.once(look, lambda: self._api.ask("POST", self._path("check-runs"), new))
        if run.text("status") != "completed":
            self._complete(run.number("id"), output, noted, ended)
        return run.optional_text("html_url")

    def issue(self, *, key: str, title: str, body: str, labels: Sequence[str] = ()) -> str:
        content = {"title": title[:LONGEST_TITLE], "body": cut(f"{mark(key, Order(run=0))}\n{body}", LONGEST)}
        new = {**content, "labels": list(labels)}
        self._api.once(
            lambda: next(iter(self._issues(key)), None), lambda: self._api.ask("POST", self._path("issues"), new)
        )
        first, *surplus = self._issues(key) or [_gone("issues")]
        if (first.text("title"), first.optional_text("body")) != tuple(content.values()):
            first = self._api.ask("PATCH", self._path("issues/{}", first.number("number")), content)
        for node in surplus:
            self._close(node, "not_planned")
        return first.text("html_url")

    def close_issue(self, key: str, *, comment: str) -> bool:
        found = self._issues(key)
        for node in found:
            self.comment(node.number("number"), key=f"closing/{key}", body=comment, order=Order(run=0))
            self._close(node, "completed")
        return bool(found)

    def deployment(
        self,
        environment: str,
        commit: str,
        *,
        key: str,
        state: DeploymentState,
        url: str = "",
        description: str = "",
        payload: Mapping[str, str] = {},
    ) -> str:
        task = f"deploy:{key}"
        query = {"environment": environment, "task": task}
        new = {
            "ref": commit, "environment": environment, "task": task, "payload": dict(payload), "auto_merge": False,
            "required_contexts": [], "description": line(description, LONGEST_LINE),
        }  # fmt: skip

        def known() -> list[Node]:
            return list(_first(self._api.pages(self._path("deployments"), query=query), EARLIER))

        def look() -> Node | None:
            # What was there, was replaced and comes back is deployed once more.
            candidates = known()[:1] if state in ("in_progress", "success") else known()
            same = (node for node in candidates if node.text("sha") == commit and _payload(node) == payload)
            return next(same, None)

        found = self._api.once(look, lambda: self._deploy(new))
        self._say_state(found, state, url=url, description=description)
        if state == "success":
            for node in known():
                if node.number("id") < found.number("id") and self._latest_state(node) == "success":
                    self._say_state(node, "inactive", url="", description="")
        return f"{self._api.server_url}/{self._api.repository}/deployments/{quote(environment, safe='')}"

    def status(self, commit: str, *, context: str, state: StatusState, description: str = "", url: str = "") -> None:
        body = {
            "context": context,
            "state": state,
            "description": line(description, LONGEST_LINE),
            **_address("target_url", url),
        }
        self._api.ask("POST", self._path("statuses/{}", commit), body, again=True)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str] = {}) -> None:
        where = self._path("actions/workflows/{}/dispatches", workflow)
        node = self._api.ask("POST", where, {"ref": ref, "inputs": dict(inputs)}, allow=(422,))
        if node.status == 422:
            raise ConfigurationError(
                f"GitHub does not start {workflow} on {ref}: {node.said}",
                where=f".github/workflows/{workflow}",
                fix="the workflow needs `on: workflow_dispatch` with these inputs, on the default branch too",
            )

    def repository_dispatch(self, kind: str, payload: Mapping[str, str] = {}) -> None:
        self._api.ask("POST", self._path("dispatches"), {"event_type": kind, "client_payload": dict(payload)})

    def release(self, tag: str, *, name: str, body: str, draft: bool = False, commit: str = "") -> str:
        content: dict[str, Any] = {"tag_name": tag, "name": name, "body": cut(body, LONGEST), "draft": draft}
        new = content | ({"target_commitish": commit} if commit else {})

        def look() -> Node | None:  # by its tag only what is no draft can be found
            pages = self._api.pages(self._path("releases"))
            return next((node for node in pages if node.text("tag_name") == tag), None)

        found = self._api.once(look, lambda: self._api.ask("POST", self._path("releases"), new))
        if {name: found.value.get(name) for name in content} != content:
            found = self._api.ask("PATCH", self._path("releases/{}", found.number("id")), content)
        return found.text("html_url")

    def _complete(
        self, run: int, output: Mapping[str, str], noted: Sequence[Mapping[str, Any]], ended: Mapping[str, str]
    ) -> None:
        """Adds the annotations that a check has not got yet, and then its conclusion. GitHub counts those it has."""
        where = self._path("check-runs/{}", run)
        for _ in range(len(noted) // ANNOTATIONS + ATTEMPTS):
            has = self._api.ask("GET", where).number("output", "annotations_count")
            batch = noted[has : has + ANNOTATIONS]
            last = ended if has + len(batch) >= len(noted) else {}
            body = {**last, "output": {**output, "annotations": batch}}
            try:
                self._api.ask("PATCH", where, body, again=False)
            except LostReplyError:
                continue
            if last:
                return
        raise OutsideError(f"GitHub does not take the annotations of check run {run}", fix="run the command again")

    def _issues(self, key: str) -> list[Node]:
        """Our open ones of that key, oldest first."""
        nodes = self._api.pages(self._path("issues"), query={"state": "open"})
        found = [node for node in nodes if not node.has("pull_request") and self._is_mine(node, key)]
        return sorted(found, key=lambda node: node.number("number"))

    def _close(self, issue: Node, why: str) -> None:
        where = self._path("issues/{}", issue.number("number"))
        self._api.ask("PATCH", where, {"state": "closed", "state_reason": why})

    def _deploy(self, new: Mapping[str, Any]) -> Node:
        node = self._api.ask("POST", self._path("deployments"), new, allow=(409,))
        if node.status == 409:
            raise ConfigurationError(
                f"GitHub does not take the deployment of {str(new['ref'])[:12]}: {node.said}", fix="mend what it says"
            )
        return node

    def _say_state(self, deployment: Node, state: DeploymentState, *, url: str, description: str) -> None:
        number = deployment.number("id")
        body = {
            "state": state, "auto_inactive": False, "description": line(description, LONGEST_LINE),
            **_address("environment_url", url),
        }  # fmt: skip
        if self._latest_state(deployment) != state:
            self._api.ask("POST", self._path("deployments/{}/statuses", number), body, again=True)

    def _latest_state(self, deployment: Node) -> str:
        where = self._path("deployments/{}/statuses", deployment.number("id"))
        newest = next(iter(self._api.ask("GET", where, query={"per_page": 1}).items()), None)
        return "" if newest is None else newest.text("state")

    def _is_mine(self, node: Node, key: str) -> bool:
        return key_of(node.optional_text("body")) == key and _is_by(node, self._api.login)

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_repository(pattern, *parts)


class _IssueComments:
    """Implements `forge_comments.Comments` for an issue or a pull request."""

    def __init__(self, api: GitHubApi, number: int) -> None:
        self._api = api
        self._where = api.in_repository("issues/{}/comments", number)

    def ours(self) -> list[Comment]:
        nodes = (node for node in self._api.pages(self._where) if _is_by(node, self._api.login))
        return [_comment(node) for node in sorted(nodes, key=lambda node: node.number("id"))]

    def add(self, text: str) -> Comment:
        return _comment(self._api.ask("POST", self._where, {"body": text}))

    def change(self, comment: Comment, text: str) -> Comment:
        where = self._api.in_repository("issues/comments/{}", comment.id)
        return _comment(self._api.ask("PATCH", where, {"body": text}))

    def remove(self, comment: Comment) -> None:
        self._api.ask("DELETE", self._api.in_repository("issues/comments/{}", comment.id), allow=(404,))


def _comment(node: Node) -> Comment:
    url = node.optional_text("html_url")
    return Comment(id=str(node.number("id")), text=node.optional_text("body"), url=url)


def _is_by(node: Node, login: str) -> bool:
    return node.optional_text("user", "login") == login


def _gone(where: str) -> Node:
    raise OutsideError(f"what mlops-ci has just written is not among {where}", fix="run the command again")


def _annotation(each: Annotation) -> dict[str, Any]:
    line = max(each.line, 1)
    title = {"title": each.title[:LONGEST_TITLE]} if each.title else {}
    return {
        "path": each.path, "start_line": line, "end_line": line, "annotation_level": each.level,
        "message": cut(each.message, LONGEST // 4), **title,
    }  # fmt: skip


def _address(name: str, url: str) -> dict[str, str]:
    """GitHub takes an address of the web, and nothing else there."""
    return {name: url} if url.startswith(("http://", "https://")) else {}


def _payload(deployment: Node) -> Any:
    """GitHub gives it back as an object, or as the text that it was sent as."""
    value = deployment.value.get("payload")
    if isinstance(value, str):
        try:
            return json.loads(value) if value else {}
        except ValueError:
            return None
    return value


def _first(nodes: Iterator[Node], count: int) -> Iterator[Node]:
    for _, node in zip(range(count), nodes, strict=False):
        yield node
