"""How a division of an environment's traffic is written in Traefik's dynamic configuration, and read back.

A release has two services, one for when it has all the traffic and one for when it shares it, and a name in front of
the first. What the router counts is told apart by these names (`traefik_metrics`), so all of them stay as long as the
release has a part: Traefik forgets what it has counted of a name that leaves the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Part:
    """One release's part of the traffic, in whole per cent, and where the release listens."""

    percent: int
    url: str


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """The release that gets copies and where it listens; `entrance` is the port by which the copies come back in."""

    release: str
    url: str
    entrance: int


@dataclass(frozen=True, kw_only=True)
class Division:
    """What one configuration says. The generation tells it from an equal one before it, which may still be replaced."""

    generation: str
    parts: Mapping[str, Part]
    shadow: Shadow | None = None


# A service that crashed and comes back has no port for a second. The router waits that long for it before it gives a
# request up, and tries the other release first where there is one. Only what it could not send at all is tried again:
# what reached the service may be what it crashed of.
RETRY = {"attempts": 30, "initialInterval": "50ms"}
# While two releases share the traffic, each is looked after: what one cannot take goes to the other.
HEALTH_CHECK = {"path": "/v2/health/ready", "interval": "200ms", "timeout": "5s"}
# Less than the services keep idle connections open, see scoring/server.py.
IDLE = "30s"
# A copy is sent when the user has been answered, and nobody waits for its answer. These bounds are what keeps a shadow
# that hangs from piling up copies in the router; what is beyond them is not copied. To copy a body takes its size in
# memory, and Traefik reserves the whole bound for each.
COPIES, COPIED_BYTES = 64, 256 * 1024
COPY_TIMEOUTS = {"dialTimeout": "1s", "responseHeaderTimeout": "10s", "idleConnTimeout": IDLE}
COPY_ID = "mlops-probe-shadow"
"""The id of every copy, which begins as those of our own requests do: a copy is none of a user's."""
NOTHING = Division(generation="", parts={})


def name_of(environment: str, model: str) -> str:
    """What the model's router, services and file are called; neither of the names may hold a tilde."""
    return f"{environment}~{model}"


def prefix_of(environment: str, model: str) -> str:
    """The path below which an environment serves a model."""
    return f"/{environment}/{model}"


def front_of(name: str, release: str) -> str:
    """What is asked, and counted, for a release that has all the traffic."""
    return f"{name}~{release}~alone"


def sharing_of(name: str, release: str) -> str:
    """The service of a release that shares the traffic, or gets copies of it."""
    return f"{name}~{release}~sharing"


def configuration(environment: str, model: str, wanted: Division) -> dict[str, Any]:
    """Traefik's dynamic configuration (JSON is YAML) for one model in one environment."""
    name, prefix, parts = name_of(environment, model), prefix_of(environment, model), wanted.parts
    strip, again = f"{name}~{wanted.generation}", f"{name}~again"
    several = len(parts) > 1
    looked_after = {"healthCheck": HEALTH_CHECK} if several else {}
    answering = {sharing_of(name, release) if several else f"{name}~{release}": part for release, part in parts.items()}
    services: dict[str, Any] = {name: _weighted({service: part.percent for service, part in answering.items()})}
    if several:
        services[name]["weighted"]["healthCheck"] = {}  # heeds those of the services
    for release, part in parts.items():
        services[f"{name}~{release}"] = _server(part.url)
        services[sharing_of(name, release)] = _server(part.url, **looked_after)
        services[front_of(name, release)] = _weighted({f"{name}~{release}": 1})
    front = f"{name}~all" if several else front_of(name, *parts)
    services[front] = _weighted({name: 1})
    # PathPrefix alone would also match /qa/model-2 for /qa/model
    rule = f"Path(`{prefix}`) || PathPrefix(`{prefix}/`)"
    http: dict[str, Any] = {
        "routers": {name: {"entryPoints": ["web"], "rule": rule, "service": front, "middlewares": [strip, again]}},
        "middlewares": {strip: {"stripPrefix": {"prefixes": [prefix]}}, again: {"retry": RETRY}},
        "services": services,
    }
    if wanted.shadow is not None:
        _copy(http, name, front, prefix, wanted.shadow)
    return {"http": http}


def _copy(http: dict[str, Any], name: str, front: str, prefix: str, shadow: Shadow) -> None:
    """Adds that the shadow gets a copy of what comes to `front`.

    Nothing can be put between a mirroring and its mirror. So the copies go to the router itself once more, by the
    entrance that only this machine sees, where they are marked and limited.
    """
    back, path = f"{name}~copies", f"/~shadow{prefix}"
    unmarked, limit, mark = f"{back}~path", f"{back}~limit", f"{back}~mark"
    server = {"url": f"http://127.0.0.1:{shadow.entrance}{path}", "preservePath": True}
    mirrors = [{"name": back, "percent": 100}]
    http["routers"][back] = {
        "entryPoints": ["traefik"],
        "rule": f"PathPrefix(`{path}/`)",
        "service": sharing_of(name, shadow.release),
        "middlewares": [unmarked, limit, mark],
    }
    http["middlewares"] |= {
        unmarked: {"stripPrefix": {"prefixes": [path]}},
        limit: {"inFlightReq": {"amount": COPIES}},
        mark: {"headers": {"customRequestHeaders": {"X-Request-Id": COPY_ID}}},
    }
    http["services"] |= {
        front: {"mirroring": {"service": name, "maxBodySize": COPIED_BYTES, "mirrors": mirrors}},
        back: {"loadBalancer": {"servers": [server]}},
        sharing_of(name, shadow.release): _server(shadow.url, serversTransport=back),
    }
    http["serversTransports"] = {back: {"forwardingTimeouts": COPY_TIMEOUTS}}


def _weighted(weights: Mapping[str, int]) -> dict[str, Any]:
    return {"weighted": {"services": [{"name": name, "weight": weight} for name, weight in weights.items()]}}


def _server(url: str, **more: Any) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": url}], **more}}


def division(state: Mapping[str, Any], environment: str, model: str, *, suffix: str) -> Division:
    """The division in a configuration, or in what the router's API says, which adds a suffix to the names.

    Raises KeyError, TypeError or the like where it is no configuration of ours.
    """
    name, services = name_of(environment, model), state.get("services", {})
    routers = state.get("routers", {})
    router = routers.get(f"{name}{suffix}")
    if router is None or router.get("status", "enabled") != "enabled":
        return NOTHING

    def url(service: str) -> str:
        address: str = services[f"{service}{suffix}"]["loadBalancer"]["servers"][0]["url"]
        return address

    parts = {}
    for entry in services[f"{name}{suffix}"]["weighted"]["services"]:
        release = entry["name"].removeprefix(f"{name}~").partition("~")[0]
        parts[release] = Part(percent=entry["weight"], url=url(entry["name"]))
    generation = router["middlewares"][0].removesuffix(suffix).removeprefix(f"{name}~")
    shadow = None
    if f"{name}~copies{suffix}" in routers:
        shadowed = routers[f"{name}~copies{suffix}"]["service"]
        entrance = int(url(f"{name}~copies").removeprefix("http://127.0.0.1:").partition("/")[0])
        release = shadowed.removeprefix(f"{name}~").partition("~")[0]
        shadow = Shadow(release=release, url=url(shadowed), entrance=entrance)
    return Division(generation=generation, parts=parts, shadow=shadow)
