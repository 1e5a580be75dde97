"""Comments, statuses, work items and pipelines on Azure DevOps, each there once however often it is said.

Azure DevOps has neither checks nor deployments of a commit: both become statuses of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_ci.adapters.azure_devops_api import HEADS, AzureDevOpsApi
from mlops_ci.adapters.azure_devops_threads import LONGEST, Threads
from mlops_ci.adapters.azure_devops_work_items import WorkItems
from mlops_ci.adapters.forge_comments import cut, line, say_once
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Annotation, Console, Order
from mlops_ci.ports.publishing import Conclusion, DeploymentState, StatusState

GENRE = "mlops-ci"
LONGEST_LINE = 300
_CHECKS: Mapping[Conclusion, str] = {
    "success": "succeeded",
    "failure": "failed",
    "action_required": "failed",
    "neutral": "notApplicable",
}
_STATUSES: Mapping[StatusState, str] = {
    "pending": "pending",
    "success": "succeeded",
    "failure": "failed",
    "error": "error",
}
_DEPLOYMENTS: Mapping[DeploymentState, str] = {
    "in_progress": "pending",
    "success": "succeeded",
    "failure": "failed",
    "error": "error",
    "inactive": "notApplicable",
}


class AzureDevOpsPublisher:
    """Implements `ports.Publisher`. What Azure DevOps has not is said once, on the console."""

    def __init__(self, api: AzureDevOpsApi, console: Console) -> None:
        self._api = api
        self._console = console
        self._missing: set[str] = set()

    def comment(self, number: int, *, key: str, body: str, order: Order) -> str:
        threads = Threads(self._api, number)
        return say_once(self._api, threads, key=key, body=body, order=order, longest=LONGEST).url

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
            self._note("Azure DevOps takes no annotations of single lines: they are in the report alone")
        self._say(commit, name, _CHECKS[conclusion], title, "")
        return self._commit_url(commit)

    def issue(self, *, key: str, title: str, body: str, labels: Sequence[str] = ()) -> str:
        items, text = WorkItems(self._api), cut(body, LONGEST)

        def look() -> Node | None:
            return next(iter(items.open_of(key)), None)

        self._api.once(look, lambda: items.make(key, title, text, labels))
        found = items.open_of(key)
        if not found:
            raise OutsideError("a work item that mlops-ci has just written is not there", fix="run the command again")
        first, *surplus = found
        for item in surplus:
            items.finish(item, "Closed by mlops-ci: there is another one of this.")
        return items.url(items.change(first, title, text))

    def close_issue(self, key: str, *, comment: str) -> bool:
        items = WorkItems(self._api)
        found = items.open_of(key)
        for item in found:
            items.finish(item, comment)
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
        payload: Mapping[str, str] = {},  # noqa: ARG002  # a status has none
    ) -> str:
        self._say(commit, f"deploy/{environment}/{key}", _DEPLOYMENTS[state], description, url)
        return self._commit_url(commit)

    def status(self, commit: str, *, context: str, state: StatusState, description: str = "", url: str = "") -> None:
        self._say(commit, context, _STATUSES[state], description, url)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str] = {}) -> None:
        """`workflow` is the pipeline's name; each input is a parameter of its, with `_` for `-`."""
        pipelines = self._api.listed(self._api.in_project("pipelines"))
        found = next((node for node in pipelines if node.text("name") == workflow), None)
        if found is None:
            raise ConfigurationError(
                f"Azure DevOps has no pipeline that is called {workflow}", fix="name it so, or say which it is"
            )
        parameters = {name.replace("-", "_"): text for name, text in inputs.items()}
        body = {"resources": {"repositories": {"self": {"refName": HEADS + ref}}}, "templateParameters": parameters}
        where = self._api.in_project("pipelines/{}/runs", found.number("id"))
        node = self._api.ask("POST", where, body, allow=(400,))
        if node.status == 400:
            raise ConfigurationError(
                f"Azure DevOps does not start {workflow} on {ref}: {node.said}",
                fix=f"the pipeline has to declare these parameters: {', '.join(parameters) or 'none'}",
            )

    def repository_dispatch(self, kind: str, payload: Mapping[str, str] = {}) -> None:  # noqa: ARG002
        self._note("Azure DevOps has no events of one's own: a pipeline is started by `dispatch`")

    def release(self, tag: str, *, name: str, body: str, draft: bool = False, commit: str = "") -> str:  # noqa: ARG002
        self._note("Azure DevOps has no releases of a tag")
        return f"{self._api.web_url}?version=GT{tag}"

    def _say(self, commit: str, name: str, state: str, description: str, url: str) -> None:
        where = self._api.in_repository("commits/{}/statuses", commit)
        body: dict[str, Any] = {
            "state": state, "description": line(description, LONGEST_LINE), "context": {"name": name, "genre": GENRE},
        }  # fmt: skip
        if url.startswith(("http://", "https://")):
            body["targetUrl"] = url
        known = [node for node in self._api.listed(where) if node.optional_text("context", "name") == name]
        latest = max(known, key=lambda node: node.number("id"), default=None)
        if latest is not None and all(latest.optional_text(each) == body[each] for each in ("state", "description")):
            return  # Azure DevOps would keep it a second time
        self._api.ask("POST", where, body, again=True)

    def _commit_url(self, commit: str) -> str:
        return f"{self._api.web_url}/commit/{commit}"

    def _note(self, what: str) -> None:
        if what not in self._missing:
            self._missing.add(what)
            self._console.say(what)
