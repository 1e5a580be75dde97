"""The HTTPRoute by which users and ourselves reach the releases of a model, and what it says of the division.

Gateway API v1 (https://gateway-api.sigs.k8s.io/reference/spec/): the longest path wins, so a release is reached below
its own path, and what is left goes by the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_ci.core.kubernetes_names import MANAGER, SERVING, Names
from mlops_ci.errors import OutsideError, Problem

API, KIND = "gateway.networking.k8s.io/v1", "HTTPRoute"
FRAME = "route.yaml"
FILTER = "RequestMirror"


@dataclass(frozen=True, kw_only=True)
class Started:
    """When a release's service was started, in ISO 8601, and its port."""

    since: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Which releases run, and how the traffic is divided among them in whole per cent."""

    releases: Mapping[str, Started] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    shadow: str | None = None

    @property
    def since(self) -> str:
        """When the latest release was started; empty where there is none."""
        return max((each.since for each in self.releases.values()), default="")

    def started(self, release: str, *, at: str, port: int) -> Serving:
        since = self.releases[release].since if release in self.releases else at
        return replace(self, releases={**self.releases, release: Started(since=since, port=port)})

    def stopped(self, release: str) -> Serving:
        return Serving(
            releases={each: started for each, started in self.releases.items() if each != release},
            shares={each: share for each, share in self.shares.items() if each != release},
            shadow=None if self.shadow == release else self.shadow,
        )

    def divided(self, shares: Mapping[str, int], shadow: str | None) -> Serving:
        return replace(self, shares={each: share for each, share in shares.items() if share}, shadow=shadow)

    def to_json(self) -> str:
        releases = {
            each: {"since": started.since, "port": started.port, "share": self.shares.get(each, 0)}
            for each, started in sorted(self.releases.items())
        }
        return json.dumps({"releases": releases, "shadow": self.shadow}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Serving:
        """Raises ValueError for what was not written by `to_json`."""
        try:
            value = json.loads(text)
            releases = value["releases"]
            shares = {each: int(entry["share"]) for each, entry in releases.items() if entry["share"]}
            started = {
                each: Started(since=str(entry["since"]), port=int(entry["port"])) for each, entry in releases.items()
            }
            shadow = value["shadow"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no record of what serves: {text[:100]!r}") from error
        return cls(releases=started, shares=shares, shadow=None if shadow is None else str(shadow))


def wrong_in_frame(frame: Any) -> Iterator[Problem]:
    """Why the team's part of the route cannot be used; nothing where it can."""
    if not isinstance(frame, dict) or (frame.get("apiVersion"), frame.get("kind")) != (API, KIND):
        yield Problem(where="apiVersion, kind", what=f"it has to be an {KIND} of {API}")
        return
    metadata, spec = frame.get("metadata") or {}, frame.get("spec") or {}
    for above, place, allowed in (
        ("", frame, {"apiVersion", "kind", "metadata", "spec"}),
        ("metadata.", metadata, {"annotations", "labels"}),
        ("spec.", spec, {"parentRefs", "hostnames"}),
    ):
        if not isinstance(place, dict):
            yield Problem(where=above.rstrip("."), what="has to be a mapping")
            return
        for key in sorted(set(map(str, place)) - allowed):
            yield Problem(where=f"{above}{key}", what="is not for the team to say here", fix="remove it")
    if not spec.get("parentRefs"):
        yield Problem(where="spec.parentRefs", what="names no Gateway", fix="name the one through which users come in")


def http_route(frame: Mapping[str, Any], names: Names, serving: Serving, *, namespace: str) -> dict[str, Any]:
    """The whole route. `serving` needs a release: a route without rules would take all requests that there are."""
    metadata, spec = frame.get("metadata") or {}, frame["spec"]

    def backend(release: str) -> dict[str, Any]:
        return {"name": names.service(release), "port": serving.releases[release].port}

    rules = [_rule(names.release_path(each), [backend(each)]) for each in sorted(serving.releases)]
    if serving.shares:
        parts = [backend(each) | {"weight": share} for each, share in sorted(serving.shares.items())]
        rule = _rule(names.path, parts)
        if serving.shadow is not None:
            rule["filters"] = [{"type": FILTER, "requestMirror": {"backendRef": backend(serving.shadow)}}]
        rules.append(rule)
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {
            "name": names.route,
            "namespace": namespace,
            "labels": {**(metadata.get("labels") or {}), **names.labels},
            "annotations": {**(metadata.get("annotations") or {}), SERVING: serving.to_json()},
        },
        "spec": {**spec, "rules": rules},
    }


def serving_of(route: Mapping[str, Any]) -> Serving:
    """What our own record on the route says. Raises ValueError where it says nothing."""
    return Serving.from_json(((route.get("metadata") or {}).get("annotations") or {}).get(SERVING, ""))


def shares_of(route: Mapping[str, Any], names: Names) -> Mapping[str, int]:
    """The division that the rules themselves say, whoever wrote them; what is not ours is called by its name."""
    known = {names.service(release): release for release in serving_of(route).releases}
    for rule in (route.get("spec") or {}).get("rules") or []:
        paths = [(match.get("path") or {}).get("value") for match in rule.get("matches") or []]
        if paths == [names.path]:
            parts = {known.get(part["name"], part["name"]): part.get("weight", 1) for part in rule["backendRefs"]}
            whole = sum(parts.values()) or 1
            return {each: round(100 * weight / whole) for each, weight in parts.items() if weight}
    return {}


def refusals(route: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a gateway does not take the route, in its controller's words."""
    generation = (route.get("metadata") or {}).get("generation")
    return tuple(
        f"{parent.get('parentRef', {}).get('name', MANAGER)}: {condition['type']} is {condition['status']} "
        f"({condition.get('reason', '')}): {condition.get('message', '')}"
        for parent in (route.get("status") or {}).get("parents") or []
        for condition in parent.get("conditions") or []
        if condition["type"] in ("Accepted", "ResolvedRefs")
        and condition["status"] == "False"
        and condition.get("observedGeneration") == generation
    )


def is_taken_over(route: Mapping[str, Any]) -> bool:
    """Whether every gateway that the route names says that it has taken this very state of it."""
    generation = (route.get("metadata") or {}).get("generation")
    parents = (route.get("status") or {}).get("parents") or []
    taken = [
        condition["status"] == "True" and condition.get("observedGeneration") == generation
        for parent in parents
        for condition in parent.get("conditions") or []
        if condition["type"] == "Accepted"
    ]
    return len(taken) >= len((route.get("spec") or {}).get("parentRefs") or []) and all(taken)


def check_division(shares: Mapping[str, int], shadow: str | None, *, runs: Mapping[str, Any], names: Names) -> None:
    """Raises ValueError for what is no division, OutsideError for a release that does not run."""
    if shares and (sum(shares.values()) != 100 or min(shares.values()) < 0):
        raise ValueError(f"shares are whole per cent that add up to 100, not {dict(shares)}")
    if shadow is not None and (not shares or shares.get(shadow)):
        raise ValueError("a shadow gets copies of what others are asked, and no part of the traffic itself")
    for release in (*(each for each, share in shares.items() if share), *([shadow] if shadow else [])):
        if release not in runs:
            raise OutsideError(f"release {release[:12]} of {names.model} does not run in {names.environment}")


def _rule(path: str, backends: list[dict[str, Any]]) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": backends}
