"""Server-side apply: who owns which fields, what conflicts, and what goes with the last one who wanted it.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/, and the format of FieldsV1 in the API
reference of ObjectMeta. Lists are associative where Kubernetes merges them and this project's manifests have them; all
others are atomic.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Object = dict[str, Any]
KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
IDENTITY = {("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")}
ATOMIC = ("matchLabels", "selector", "resources")
ABSENT = object()


def owned(value: Object) -> frozenset[Path]:
    """The fields that somebody who applies the value wants to be so."""
    return frozenset(path for path in _leaves(value, ()) if path not in IDENTITY and "f:managedFields" not in path)


def conflicts(
    config: Object, live: Object, managers: Mapping[tuple[str, str], frozenset[Path]], manager: str
) -> Iterator[tuple[str, Path]]:
    """The fields that somebody else owns and that are to be something else."""
    wanted = owned(config)
    for (other, operation), paths in managers.items():
        if (other, operation) != (manager, "Apply"):
            for path in sorted(paths & wanted):
                if at(live, path) != at(config, path):
                    yield other, path


def merged(config: Object, live: Object, dropped: frozenset[Path]) -> Object:
    """The live object with the fields of the configuration in it, and without those that nobody wants any more."""
    value = copy.deepcopy(live)
    for path in sorted(dropped, key=len, reverse=True):
        _remove(value, path)
    _merge(value, config, "")
    return value


def changed(before: Object, after: Object) -> frozenset[Path]:
    """What somebody who wrote the whole object has changed."""
    return frozenset(path for path in owned(after) if at(before, path) != at(after, path))


def spelt(paths: frozenset[Path]) -> Object:
    """As FieldsV1."""
    tree: Object = {}
    for path in sorted(paths):
        place = tree
        for step in path:
            place = place.setdefault(step, {})
    return tree


def at(value: Any, path: Path) -> Any:
    for step in path:
        if step == ".":
            return True
        if step.startswith("k:"):
            value = _item(value, json.loads(step[2:]))
        else:
            value = value.get(step[2:], ABSENT) if isinstance(value, dict) else ABSENT
        if value is ABSENT:
            return ABSENT
    return value


def dotted(path: Path) -> str:
    return "." + ".".join(step[2:] if step.startswith("f:") else f"[{step[2:]}]" for step in path if step != ".")


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    name = path[-1][2:] if path else ""
    if isinstance(value, dict) and value and name not in ATOMIC:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, f"f:{key}"))
    elif isinstance(value, list) and _keys(name, value):
        for item in value:
            here = (*path, f"k:{json.dumps(_key(name, item), separators=(',', ':'))}")
            yield (*here, ".")
            for key, inner in item.items():
                yield from _leaves(inner, (*here, f"f:{key}"))
    elif path:
        yield path


def _merge(value: Object, config: Object, name: str) -> None:
    for key, wanted in config.items():
        have = value.get(key)
        if isinstance(wanted, dict) and isinstance(have, dict) and key not in ATOMIC:
            _merge(have, wanted, key)
        elif isinstance(wanted, list) and isinstance(have, list) and _keys(key, wanted):
            for item in wanted:
                found = _item(have, _key(key, item))
                if found is ABSENT:
                    have.append(copy.deepcopy(item))
                else:
                    _merge(found, item, key)
        else:
            value[key] = copy.deepcopy(wanted)


def _remove(value: Any, path: Path) -> None:
    *above, last = path
    if last == ".":
        *above, last = above
        holder = at(value, tuple(above))
        if isinstance(holder, list):
            key = json.loads(last[2:])
            holder[:] = [item for item in holder if _item([item], key) is ABSENT]
        return
    holder = at(value, tuple(above))
    if isinstance(holder, dict):
        holder.pop(last[2:], None)


def _keys(name: str, value: list[Any]) -> tuple[str, ...]:
    if not value or not all(isinstance(item, dict) for item in value):
        return ()
    if name == "ports":
        number = next((key for key in ("containerPort", "port") if key in value[0]), "")
        return (number, "protocol") if number and "podSelector" not in value[0] else ()
    return KEYS.get(name, ())


def _key(name: str, item: Object) -> Object:
    return {key: item.get(key, "TCP") if key == "protocol" else item.get(key) for key in _keys(name, [item])}


def _item(value: Any, key: Object) -> Any:
    for item in value if isinstance(value, list) else []:
        if all((item.get(name, "TCP") if name == "protocol" else item.get(name)) == part for name, part in key.items()):
            return item
    return ABSENT
