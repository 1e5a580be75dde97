"""What a plan of Terraform is going to do, and what of that nobody has asked for.

A plan is looked at as its JSON says it (https://developer.hashicorp.com/terraform/internals/json-format). Whatever is
not understood is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HARMLESS = frozenset({"no-op", "create", "read", "update"})
REVISIONS = frozenset({"aws_ecs_task_definition"})
"""Kinds of which every change is a new revision beside the old one, and what runs of the old one goes on running."""
TAINTED = "replace_because_tainted"
"""Its creation was begun and not finished, or somebody has said so."""
KEY = r'"(?:[^"\\]|\\.)*"|[0-9]+'
STEP = re.compile(rf"module\.([A-Za-z_][\w-]*)(?:\[({KEY})\])?(?:\.|$)")


@dataclass(frozen=True, kw_only=True)
class PlannedChange:
    """What becomes of one resource. `keys` are those of `for_each`, of its modules from the outside in, then its own.

    `deposed` names the old object of a replacement that was not finished; `imported` is what is there already, and is
    taken over into the state.
    """

    address: str
    kind: str
    actions: tuple[str, ...]
    keys: tuple[str, ...] = ()
    deposed: str = ""
    reason: str = ""
    imported: bool = False

    @property
    def destroys(self) -> bool:
        """Whether something that is there is gone afterwards, or is not looked after any more."""
        return not HARMLESS.issuperset(self.actions)

    @property
    def makes_anew(self) -> bool:
        """Whether there is one afterwards as before: it is replaced, or what is left of a replacement is taken away."""
        return set(self.actions) == {"create", "delete"} or (bool(self.deposed) and self.actions == ("delete",))

    @property
    def is_half_made(self) -> bool:
        return self.reason == TAINTED

    @property
    def revises(self) -> bool:
        """Whether only a revision is put in the place of another one, or an old one cleared away."""
        return self.kind in REVISIONS and self.makes_anew

    def to_json(self) -> dict[str, Any]:
        more = {"deposed": self.deposed, "reason": self.reason, "imported": self.imported}
        known = {name: value for name, value in more.items() if value}
        return {"address": self.address, "actions": list(self.actions), **known}


def planned_changes(plan: Mapping[str, Any]) -> tuple[PlannedChange, ...]:
    """All that is going to happen. Raises ValueError where the JSON is of no plan that is understood."""
    version = plan.get("format_version")
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise ValueError(f"format {version} of a plan is not known")
    if plan.get("errored") or plan.get("deferred_changes") or plan.get("complete") is False:
        raise ValueError("the plan is not complete")
    try:
        changes = [_change(each) for each in plan.get("resource_changes", ())]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the plan's changes cannot be read: {type(error).__name__}") from error
    return tuple(change for change in changes if change.actions != ("no-op",) or change.imported)


def refused(
    changes: Sequence[PlannedChange],
    *,
    ended: Collection[str],
    idle: Collection[str] = (),
    may_destroy: Sequence[str] = (),
) -> tuple[PlannedChange, ...]:
    """Those that destroy, replace or let go of what they may not.

    They may below the id of a release that is `ended`: one of the model's own that is wanted no more; replace what is
    below the id of one that is `idle`, which gets no traffic before and after; replace what is only half made, on which
    nothing can rest yet; and anything below the addresses `may_destroy`. A key has to be the id itself, whatever else
    holds it as a part.
    """
    return tuple(
        change
        for change in changes
        if change.destroys
        and not change.revises
        and not any(key in ended for key in change.keys)
        and not (change.makes_anew and (change.is_half_made or any(key in idle for key in change.keys)))
        and not any(is_below(change.address, place) for place in may_destroy)
    )


def is_below(address: str, place: str) -> bool:
    """Whether the address is the place, one of its instances, or within it as a module."""
    return address == place or address.startswith((f"{place}[", f"{place}."))


def keys_of(address: str) -> tuple[str, ...]:
    """All keys in the address of a managed resource. Raises ValueError where it is none."""
    modules, rest = _modules(address)
    found = re.fullmatch(rf"([A-Za-z_][\w-]*)\.([A-Za-z_][\w-]*)(?:\[({KEY})\])?", rest)
    if found is None:
        raise ValueError(f"{address} is no address of a managed resource")
    return (*modules, *([_key(found[3])] if found[3] else []))


def changed_outputs(plan: Mapping[str, Any]) -> list[str]:
    """Their names; what they were and become may be secret."""
    changes = plan.get("output_changes") or {}
    return sorted(name for name, change in changes.items() if change.get("actions") != ["no-op"])


def _change(each: Mapping[str, Any]) -> PlannedChange:
    modules, rest = _modules(f"{each['module_address']}.") if each.get("module_address") else ((), "")
    if rest:
        raise ValueError(f"{each['module_address']} is no address of a module")
    index = each.get("index")
    actions = tuple(each["change"]["actions"])
    if not actions or not all(isinstance(action, str) for action in actions):
        raise ValueError(f"{each['address']}: what becomes of it is not said")
    return PlannedChange(
        address=each["address"],
        kind=each["type"],
        actions=actions,
        keys=(*modules, *(() if index is None else (str(index),))),
        deposed=each.get("deposed", ""),
        reason=each.get("action_reason", ""),
        imported=each["change"].get("importing") is not None,
    )


def _modules(address: str) -> tuple[tuple[str, ...], str]:
    """The keys of the modules that the address begins with, and what follows them."""
    keys, position = [], 0
    while found := STEP.match(address, position):
        if found[2]:
            keys.append(_key(found[2]))
        position = found.end()
    return tuple(keys), address[position:]


def _key(written: str) -> str:
    """A key as it is between the quotes: what is escaped in it cannot be part of an id."""
    return written[1:-1] if written.startswith('"') else written
