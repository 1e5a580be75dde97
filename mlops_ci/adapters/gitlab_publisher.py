"""Comments, statuses, issues, environments, pipelines and releases on GitLab, each there once however often it is said.

GitLab has no checks: one becomes the status of its commit, whose words are the check's title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.adapters.forge_comments import cut, key_of, line, mark, say_once
from mlops_ci.adapters.gitlab_api import GitLabApi
from mlops_ci.adapters.gitlab_notes import LONGEST, Notes
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Annotation, Console, Order
from mlops_ci.ports.publishing import Conclusion, DeploymentState, StatusState

LONGEST_LINE = 255
LONGEST_TITLE = 255
EARLIER = 10
"""How many deployments to look back for one that was said before."""
_CHECKS: Mapping[Conclusion, str] = {
    "success": "success",
    "failure": "failed",
    "action_required": "failed",
    "neutral": "success",
}
"""What waits is no failure, and `pending` would keep the merge request's pipeline from ever ending."""
_STATUSES: Mapping[StatusState, str] = {
    "pending": "pending",
    "success": "success",
    "failure": "failed",
    "error": "failed",
}
_DEPLOYMENTS: Mapping[DeploymentState, str] = {
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "error": "failed",
}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_/${}. -]")


class GitLabPublisher:
    """Implements `ports.Publisher`. What GitLab has not is said once, on the console."""

    def __init__(self, api: GitLabApi, console: Console) -> None:
        self._api = api
        self._console = console
        self._missing: set[str] = set()

    def comment(self, number: int, *, key: str, body: str, order: Order) -> str:
        notes = Notes(self._api, "merge_requests", number)
        return say_once(self._api, notes, key=key, body=body, order=order, longest=LONGEST).url

    def check(
        self,
        commit: str,
        *,
        name: str,
        conclusion: Conclusion,
        title: str,
        summary: str,  # noqa: ARG002  # a status has one line; reports are comments, too
        annotations: Sequence[Annotation] = (),
    ) -> str:
        if annotations:
            self._note("GitLab takes no annotations of single lines: they are in the report alone")
        self._say(commit, name, _CHECKS[conclusion], title, "")
        return f"{self._api.web_url}/-/commit/{commit}/pipelines"

    def issue(self, *, key: str, title: str, body: str, labels: Sequence[str] = ()) -> str:
        text = cut(f"{mark(key, Order(run=0))}\n{body}", LONGEST)
        content = {"title": title[:LONGEST_TITLE], "description": text}
        new = {**content, "labels": ",".join(labels)}
        self._api.once(
            lambda: next(iter(self._issues(key)), None), lambda: self._api.ask("POST", self._path("issues"), new)
        )
        found = self._issues(key)
        if not found:
            raise OutsideError("an issue that mlops-ci has just written is not there", fix="run the command again")
        first, *surplus = found
        if (first.text("title"), first.optional_text("description")) != tuple(content.values()):
            first = self._api.ask("PUT", self._path("issues/{}", first.number("iid")), content)
        for node in surplus:
            self._close(node)
        return first.text("web_url")

    def close_issue(self, key: str, *, comment: str) -> bool:
        found = self._issues(key)
        for node in found:
            notes = Notes(self._api, "issues", node.number("iid"))
            say_once(self._api, notes, key=f"closing/{key}", body=comment, order=Order(run=0), longest=LONGEST)
            self._close(node)
        return bool(found)

    def deployment(
        self,
        environment: str,
        commit: str,
        *,
        key: str,
        state: DeploymentState,
        url: str = "",
        description: str = "",  # noqa: ARG002  # GitLab's deployments have none
        payload: Mapping[str, str] = {},  # noqa: ARG002
    ) -> str:
        """One environment of GitLab for each thing that an environment of ours holds: there, what succeeded last is
        what serves, and what was before it is not.
        """
        name = _NOT_IN_A_NAME.sub("-", f"{environment}/{key}")
        page = f"{self._api.web_url}/-/environments/folders/{environment}"
        status = _DEPLOYMENTS.get(state)
        if status is None:  # inactive: GitLab sees that by itself
            return page
        new = {"environment": name, "sha": commit, "ref": self._api.default_branch, "tag": False, "status": status}

        def look() -> Node | None:
            known = self._deployments(name)
            return known[0] if known and (known[0].text("sha"), known[0].text("status")) == (commit, status) else None

        self._api.once(look, lambda: self._deploy(new))
        if status == "success" and url.startswith(("http://", "https://")):
            self._address(name, url)
        return page

    def status(self, commit: str, *, context: str, state: StatusState, description: str = "", url: str = "") -> None:
        self._say(commit, context, _STATUSES[state], description, url)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str] = {}) -> None:
        """GitLab has one file of pipelines: which job is meant is told by the variable MLOPS_PIPELINE, and each input
        by one of its name in capital letters after MLOPS_.
        """
        told = {f"MLOPS_{name.upper().replace('-', '_')}": text for name, text in inputs.items()}
        variables = [{"key": name, "value": text} for name, text in {"MLOPS_PIPELINE": workflow, **told}.items()]
        node = self._api.ask("POST", self._path("pipeline"), {"ref": ref, "variables": variables}, allow=(400,))
        if node.status == 400:
            raise ConfigurationError(
                f"GitLab starts no pipeline on {ref}: {node.said}",
                where=".gitlab-ci.yml",
                fix="a job's rules have to let it run for $MLOPS_PIPELINE",
            )

    def repository_dispatch(self, kind: str, payload: Mapping[str, str] = {}) -> None:  # noqa: ARG002
        self._note("GitLab has no events of one's own: a pipeline is started by `dispatch`")

    def release(self, tag: str, *, name: str, body: str, draft: bool = False, commit: str = "") -> str:
        if draft:
            self._note(f"GitLab has no drafts of releases: {tag} is published at once")
        content = {"name": name, "description": cut(body, LONGEST)}
        new = {"tag_name": tag, **content, **({"ref": commit} if commit else {})}

        def look() -> Node | None:
            found = self._api.ask("GET", self._path("releases/{}", tag), allow=(403, 404))
            return found if found.status == 200 else None

        found = self._api.once(look, lambda: self._api.ask("POST", self._path("releases"), new))
        if {each: found.value.get(each) for each in content} != content:
            found = self._api.ask("PUT", self._path("releases/{}", tag), content)
        return f"{self._api.web_url}/-/releases/{found.text('tag_name')}"

    def _say(self, commit: str, name: str, state: str, description: str, url: str) -> None:
        body: dict[str, Any] = {"state": state, "name": name, "description": line(description, LONGEST_LINE)}
        if url.startswith(("http://", "https://")):
            body["target_url"] = url
        known = self._api.pages(self._path("repository/commits/{}/statuses", commit), query={"name": name})
        said = {"state": "status", "description": "description"}
        if any(all(node.optional_text(theirs) == body[ours] for ours, theirs in said.items()) for node in known):
            return  # GitLab would keep it a second time
        node = self._api.ask("POST", self._path("statuses/{}", commit), body, again=True, allow=(400,))
        # GitLab refuses to say again what it says already
        if node.status == 400 and "Cannot transition" not in node.said:
            raise OutsideError(f"GitLab does not take the status {name!r}: {node.said}", fix="mend what GitLab says")

    def _issues(self, key: str) -> list[Node]:
        """Our open ones of that key, oldest first."""
        me = self._api.me.number("id")
        nodes = self._api.pages(self._path("issues"), query={"state": "opened", "author_id": me, "scope": "all"})
        found = [node for node in nodes if key_of(node.optional_text("description")) == key]
        return sorted((one for one in found if one.number("author", "id") == me), key=lambda one: one.number("iid"))

    def _close(self, issue: Node) -> None:
        self._api.ask("PUT", self._path("issues/{}", issue.number("iid")), {"state_event": "close"})

    def _deployments(self, name: str) -> list[Node]:
        """The newest ones first."""
        query: dict[str, str | int] = {"environment": name, "order_by": "id", "sort": "desc", "per_page": EARLIER}
        return list(self._api.ask("GET", self._path("deployments"), query=query).items())

    def _deploy(self, new: Mapping[str, Any]) -> Node:
        node = self._api.ask("POST", self._path("deployments"), new, allow=(400, 403))
        if node.status != 201:
            raise ConfigurationError(
                f"GitLab does not take the deployment of {str(new['sha'])[:12]} to {new['environment']}: {node.said}",
                fix="let the account that mlops-ci acts as deploy to that environment",
            )
        return node

    def _address(self, name: str, url: str) -> None:
        found = next(self._api.pages(self._path("environments"), query={"name": name}), None)
        if found is not None and found.optional_text("external_url") != url:
            self._api.ask("PUT", self._path("environments/{}", found.number("id")), {"external_url": url})

    def _note(self, what: str) -> None:
        if what not in self._missing:
            self._missing.add(what)
            self._console.say(what)

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_project(pattern, *parts)
