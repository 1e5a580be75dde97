"""How a division of an environment's traffic is written in Traefik's dynamic configuration, and read back."""

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
class Division:
    """What one configuration says. The generation tells it from an equal one before it, which may still be replaced."""

    generation: str
    parts: Mapping[str, Part]


# A service that crashed and comes back has no port for a second. The router waits that long for it before it gives a
# request up, and tries the other release first where there is one. Only what it could not send at all is tried again:
# what reached the service may be what it crashed of.
RETRY = {"attempts": 30, "initialInterval": "50ms"}
# While two releases share the traffic, each is looked after: what one cannot take goes to the other.
HEALTH_CHECK = {"path": "/v2/health/ready", "interval": "200ms", "timeout": "5s"}
NOTHING = Division(generation="", parts={})


def name_of(environment: str, model: str) -> str:
    """What the model's router, services and file are called; neither of the names may hold a tilde."""
    return f"{environment}~{model}"


def prefix_of(environment: str, model: str) -> str:
    """The path below which an environment serves a model."""
    return f"/{environment}/{model}"


def configuration(environment: str, model: str, wanted: Division) -> dict[str, Any]:
    """Traefik's dynamic configuration (JSON is YAML) for one model in one environment."""
    name, prefix, parts = name_of(environment, model), prefix_of(environment, model), wanted.parts
    strip, again = f"{name}~{wanted.generation}", f"{name}~again"
    weighted: dict[str, Any] = {
        "services": [{"name": f"{name}~{release}", "weight": part.percent} for release, part in parts.items()]
    }
    looked_after: dict[str, Any] = {}
    if len(parts) > 1:
        weighted["healthCheck"] = {}  # heeds those of the services
        looked_after = {"healthCheck": HEALTH_CHECK}
    servers = {
        f"{name}~{release}": {"loadBalancer": {"servers": [{"url": part.url}], **looked_after}}
        for release, part in parts.items()
    }
    # PathPrefix alone would also match /qa/model-2 for /qa/model
    rule = f"Path(`{prefix}`) || PathPrefix(`{prefix}/`)"
    return {
        "http": {
            "routers": {name: {"entryPoints": ["web"], "rule": rule, "service": name, "middlewares": [strip, again]}},
            "middlewares": {strip: {"stripPrefix": {"prefixes": [prefix]}}, again: {"retry": RETRY}},
            "services": {name: {"weighted": weighted}, **servers},
        }
    }


def division(state: Mapping[str, Any], environment: str, model: str, *, suffix: str) -> Division:
    """The division in a configuration, or in what the router's API says, which adds a suffix to the names."""
    name, services = name_of(environment, model), state.get("services", {})
    router = state.get("routers", {}).get(f"{name}{suffix}")
    if router is None or router.get("status", "enabled") != "enabled":
        return NOTHING
    parts = {}
    for entry in services[f"{name}{suffix}"]["weighted"]["services"]:
        server = services[f"{entry['name']}{suffix}"]["loadBalancer"]["servers"][0]
        parts[entry["name"].removeprefix(f"{name}~")] = Part(percent=entry["weight"], url=server["url"])
    generation = router["middlewares"][0].removesuffix(suffix).removeprefix(f"{name}~")
    return Division(generation=generation, parts=parts)
