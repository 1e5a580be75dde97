"""Work items of Azure DevOps, one open one for each key, which is a tag of it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from mlops_ci.adapters.azure_devops_api import AZURE_DEVOPS, AzureDevOpsApi
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.errors import ConfigurationError

TYPES = ("Issue", "Bug", "Task")
"""What an alarm may become, by the process that the project follows; the first that it has."""
LONGEST_TITLE, LONGEST_TAG = 255, 400
PATCHES = replace(AZURE_DEVOPS, headers={**AZURE_DEVOPS.headers, "Content-Type": "application/json-patch+json"})
"""Work items are changed by JSON Patch (RFC 6902), unlike all else."""


class WorkItems:
    """Those of the project that our account made."""

    def __init__(self, api: AzureDevOpsApi) -> None:
        self._api = api
        self._patches = api.speaking(PATCHES)

    def open_of(self, key: str) -> Sequence[Node]:
        """Ours of that key that are not done, oldest first."""
        tag = _tag(key).replace("'", "''")
        states = ", ".join(f"'{name}'" for name in self._done) or "''"
        query = "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND [System.Tags] CONTAINS "
        query += f"'{tag}' AND [System.State] NOT IN ({states})"
        found = self._api.ask("POST", self._api.in_project("wit/wiql"), {"query": query}, again=True)
        numbers = sorted(node.number("id") for node in found.items("workItems"))
        items = [self._api.ask("GET", self._api.in_project("wit/workitems/{}", number)) for number in numbers]
        return [item for item in items if self._is_ours(item, _tag(key))]

    def make(self, key: str, title: str, body: str, labels: Sequence[str]) -> Node:
        tags = "; ".join([_tag(key), *labels])
        patch = _patch({"System.Title": title[:LONGEST_TITLE], "System.Description": _html(body), "System.Tags": tags})
        where = self._api.in_project("wit/workitems/${}", self._type)
        return self._patches.ask("POST", where, patch)

    def change(self, item: Node, title: str, body: str) -> Node:
        fields = {"System.Title": title[:LONGEST_TITLE], "System.Description": _html(body)}
        if {name: item.at("fields").value.get(name) for name in fields} == fields:
            return item
        return self._patches.ask("PATCH", self._at(item), _patch(fields))

    def finish(self, item: Node, comment: str) -> None:
        done = next(iter(self._done), "")
        if not done:
            raise ConfigurationError(f"a work item of the type {self._type} is never done", fix="close it by hand")
        self._patches.ask("PATCH", self._at(item), _patch({"System.State": done, "System.History": _html(comment)}))

    def url(self, item: Node) -> str:
        return f"{self._api.web_url.partition('/_git/')[0]}/_workitems/edit/{item.number('id')}"

    @cached_property
    def _type(self) -> str:
        known = {node.text("name") for node in self._api.listed(self._api.in_project("wit/workitemtypes"))}
        found = next((name for name in TYPES if name in known), None)
        if found is None:
            raise ConfigurationError(
                f"the project has no work items of the types {', '.join(TYPES)}", fix="leave out --issue"
            )
        return found

    @cached_property
    def _done(self) -> list[str]:
        """The states in which nothing is left to be done."""
        states = self._api.listed(self._api.in_project("wit/workitemtypes/{}/states", self._type))
        return [node.text("name") for node in states if node.text("category") in ("Completed", "Removed")]

    def _is_ours(self, item: Node, tag: str) -> bool:
        tags = [each.strip() for each in item.optional_text("fields", "System.Tags").split(";")]
        return tag in tags and item.optional_text("fields", "System.CreatedBy", "id") == self._api.my_id

    def _at(self, item: Node) -> str:
        return self._api.in_project("wit/workitems/{}", item.number("id"))


def _tag(key: str) -> str:
    """A tag has neither a comma nor a semicolon."""
    return f"mlops-ci:{key.replace(',', '_').replace(';', '_')}"[:LONGEST_TAG]


def _html(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def _patch(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"op": "add", "path": f"/fields/{name}", "value": text} for name, text in fields.items()]
