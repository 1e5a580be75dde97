"""What a root module says of the environment that it makes: the outputs of the serving contract (docs/targets.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.adapters.http_exchange import Origin
from mlops_ci.adapters.terraform_module import CONTRACT
from mlops_ci.core.infrastructure_plan import keys_of
from mlops_ci.core.serving_contract import Serving
from mlops_ci.errors import ConfigurationError

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`urls` has the address of each release by its id; `traffic` and `logs` say where it is counted and logged."""

    url: str
    urls: Mapping[str, str]
    serving: Serving
    traffic: Json | None = None
    logs: Json | None = None


def outputs_of(values: Json, *, where: str) -> Outputs:
    """Raises ConfigurationError where one is missing or is not what it has to be."""
    lacking = [name for name in CONTRACT if values.get(name) is None]
    if lacking:
        raise _wrong(f"the module has no output {', '.join(lacking)}", where)
    try:
        serving = Serving.from_json(values["serving"])
    except ValueError as error:
        raise _wrong(f"output serving is not what was given to the module: {error}", where) from error
    releases = values["releases"]
    if not isinstance(releases, dict) or not all(isinstance(each, dict) for each in releases.values()):
        raise _wrong("output releases has to be a map, and each release in it an object with `url`", where)
    missing = sorted(set(serving.releases).difference(releases))
    if missing:
        raise _wrong(f"output releases has nothing for release {missing[0]}", where)
    urls = {release: _address(releases[release].get("url"), f"releases[{release}].url", where)
            for release in serving.releases}  # fmt: skip
    found = {name: values.get(name) for name in ("traffic", "logs")}
    for name, each in found.items():
        if each is not None and not isinstance(each, dict):
            raise _wrong(f"output {name} has to be an object", where)
    return Outputs(url=_address(values["url"], "url", where), urls=urls, serving=serving, **found)


def unfinished(addresses: list[str], known: frozenset[str], serving: Serving | None) -> frozenset[str]:
    """The model's releases of which the state knows something, and the outputs nothing: a start that was killed."""
    found: set[str] = set()
    for address in addresses:
        try:
            found |= known.intersection(keys_of(address))
        except ValueError:  # what is only read, and what a later Terraform may call otherwise
            continue
    return frozenset(found.difference(serving.releases if serving else ()))


def _address(url: Any, name: str, where: str) -> str:
    if not isinstance(url, str):
        raise _wrong(f"output {name} has to be an address", where)
    try:
        Origin.of(url)
    except ConfigurationError as error:
        raise _wrong(f"output {name}: {error.what}", where) from error
    return url.rstrip("/")


def _wrong(what: str, where: str) -> ConfigurationError:
    return ConfigurationError(what, where=where, fix="see the serving contract in docs/targets.md")
