"""The objects of the stand-in: what etcd and the API server's own rules are to a real cluster."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition
from typing import Any

from tests.kubernetes_api import fields
from tests.kubernetes_api.fields import Path
from tests.kubernetes_api.kinds import KINDS, Kind, Object, Refused, check, not_found

Name = tuple[Kind, str, str]
FOREGROUND = "foregroundDeletion"


@dataclass
class Kept:
    value: Object
    managers: dict[tuple[str, str], frozenset[Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class Happening:
    """One event of a watch."""

    version: int
    type: str
    kind: Kind
    value: Object


class Objects:
    """All of a cluster's objects; each method is one request, whole or not at all."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.happened: list[Happening] = []
        self._kept: dict[Name, Kept] = {}
        self._version = 100

    @property
    def version(self) -> int:
        return self._version

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        with self.changed:
            return self._shown(self._require(kind, namespace, name))

    def list(self, kind: Kind, namespace: str, chosen: Callable[[Object], bool] = lambda _: True) -> list[Object]:
        with self.changed:
            found = (
                self._shown(kept)
                for (one, place, _), kept in sorted(self._kept.items(), key=lambda item: item[0][1:])
                if one == kind and namespace in ("", place)
            )
            return [value for value in found if chosen(value)]

    def create(self, kind: Kind, namespace: str, value: Object, *, manager: str = "unknown") -> Object:
        with self.changed:
            name = value["metadata"].get("name") or value["metadata"].get("generateName", "") + uuid.uuid4().hex[:5]
            value["metadata"]["name"] = name
            self._require_namespace(kind, namespace, value)
            if (kind, namespace, name) in self._kept:
                raise Refused(409, "AlreadyExists", f'{kind.plural} "{name}" already exists', name=name)
            self._put((kind, namespace, name), value, {(manager, "Update"): fields.owned(value)}, None)
            return self._shown(self._kept[kind, namespace, name])

    def replace(
        self, kind: Kind, namespace: str, name: str, value: Object, *, manager: str = "unknown", status: bool = False
    ) -> Object:
        with self.changed:
            kept = self._require(kind, namespace, name)
            given = value["metadata"].get("resourceVersion")
            if given and given != kept.value["metadata"]["resourceVersion"]:
                raise Refused(
                    409, "Conflict", f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been '
                    "modified; please apply your changes to the latest version and try again", name=name,
                )  # fmt: skip
            after = copy.deepcopy(kept.value)
            if status:
                after["status"] = value.get("status", {})
            else:
                after = {**value, **({"status": after["status"]} if "status" in after else {})}
                after["metadata"] = {**kept.value["metadata"], **value["metadata"]}
            mine = (manager, "Update")
            more = fields.changed(kept.value, after)
            managers = {who: paths - more for who, paths in kept.managers.items() if who != mine}
            managers[mine] = kept.managers.get(mine, frozenset()) | more
            self._put((kind, namespace, name), after, managers, kept, checked=not status)
            return self._shown(self._kept[kind, namespace, name])

    def apply(self, kind: Kind, namespace: str, name: str, config: Object, *, manager: str, force: bool) -> Object:
        """Server-side apply."""
        with self.changed:
            self._require_namespace(kind, namespace, config)
            if config.get("metadata", {}).get("managedFields"):
                raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
            kept = self._kept.get((kind, namespace, name))
            live = kept.value if kept else {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {}}
            managers = dict(kept.managers) if kept else {}
            found = list(fields.conflicts(config, live, managers, manager))
            if found and not force:
                raise _conflict(kind, name, found)
            wanted, mine = fields.owned(config), (manager, "Apply")
            taken = frozenset(path for _, path in found)
            others = {who: paths - taken for who, paths in managers.items() if who != mine}
            held = frozenset(path for paths in others.values() for path in paths)
            after = fields.merged(config, live, managers.get(mine, frozenset()) - wanted - held)
            self._put((kind, namespace, name), after, {**others, mine: wanted}, kept)
            return self._shown(self._kept[kind, namespace, name])

    def delete(self, kind: Kind, namespace: str, name: str, *, propagation: str = "Background") -> Object:
        with self.changed:
            kept = self._require(kind, namespace, name)
            if (kind.name == "Deployment" and propagation == "Foreground") or kept.value["metadata"].get("finalizers"):
                if "deletionTimestamp" not in kept.value["metadata"]:
                    after = copy.deepcopy(kept.value)
                    after["metadata"] |= {"deletionTimestamp": _now(), "finalizers": [FOREGROUND]}
                    self._put((kind, namespace, name), after, kept.managers, kept)
                return self._shown(self._kept[kind, namespace, name])
            return self.gone(kind, namespace, name)

    def gone(self, kind: Kind, namespace: str, name: str) -> Object:
        """Takes it away for good."""
        with self.changed:
            kept = self._kept.pop((kind, namespace, name))
            self._version += 1
            kept.value["metadata"]["resourceVersion"] = str(self._version)
            self._happened("DELETED", kind, kept)
            return self._shown(kept)

    def since(self, version: int, kind: Kind) -> Iterator[Happening]:
        return (each for each in list(self.happened) if each.version > version and each.kind == kind)

    def _put(
        self,
        name: Name,
        value: Object,
        managers: dict[Any, frozenset[Path]],
        before: Kept | None,
        *,
        checked: bool = True,
    ) -> None:
        kind, namespace, own = name
        value = copy.deepcopy(value)
        metadata = value.setdefault("metadata", {})
        metadata.pop("managedFields", None)
        if kind.name == "Deployment":
            value["spec"].setdefault("replicas", 1)
        old = before.value if before else None
        metadata |= {"name": own, **({"namespace": namespace} if kind.namespaced else {})}
        if checked:
            check(kind, value, old)
        managers = {who: paths for who, paths in managers.items() if paths}
        if before and old == value and before.managers == managers:
            return
        self._version += 1
        known = old["metadata"] if old else {"uid": str(uuid.uuid4()), "creationTimestamp": _now(), "generation": 0}
        same = old is not None and old.get("spec") == value.get("spec")
        metadata |= {"uid": known["uid"], "creationTimestamp": known["creationTimestamp"]}
        metadata |= {"generation": known["generation"] + (not same), "resourceVersion": str(self._version)}
        kept = self._kept[name] = Kept(value, managers)
        self._happened("MODIFIED" if before else "ADDED", kind, kept)

    def _happened(self, what: str, kind: Kind, kept: Kept) -> None:
        self.happened.append(Happening(self._version, what, kind, self._shown(kept)))
        self.changed.notify_all()

    def _shown(self, kept: Kept) -> Object:
        value = copy.deepcopy(kept.value)
        value["metadata"]["managedFields"] = [
            {
                "manager": manager, "operation": operation, "apiVersion": value["apiVersion"], "time": _now(),
                "fieldsType": "FieldsV1", "fieldsV1": fields.spelt(paths),
            }
            for (manager, operation), paths in sorted(kept.managers.items())
        ]  # fmt: skip
        return value

    def _require(self, kind: Kind, namespace: str, name: str) -> Kept:
        kept = self._kept.get((kind, namespace, name))
        if kept is None:
            raise not_found(kind, name)
        return kept

    def _require_namespace(self, kind: Kind, namespace: str, value: Object) -> None:
        if kind.namespaced and (KINDS[0], "", namespace) not in self._kept:
            raise not_found(KINDS[0], namespace)
        said = value["metadata"].get("namespace", namespace)
        if said != namespace:
            raise Refused(400, "BadRequest", f"the namespace of the object ({said}) does not match the request's")


def _conflict(kind: Kind, name: str, found: list[tuple[str, Path]]) -> Refused:
    count = "1 conflict" if len(found) == 1 else f"{len(found)} conflicts"
    told = "; ".join(f'conflict with "{who}": {fields.dotted(path)}' for who, path in found)
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": fields.dotted(path)}
        for who, path in found
    ]
    return Refused(409, "Conflict", f"Apply failed with {count}: {told}", name=name, kind=kind.plural, causes=causes)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
