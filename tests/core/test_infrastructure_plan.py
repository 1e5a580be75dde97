from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.infrastructure_plan import (
    PlannedChange,
    changed_outputs,
    is_below,
    keys_of,
    planned_changes,
    refused,
)

OLD, NEW, STABLE = "a" * 64, "b" * 64, "c" * 64
REPLACED, REPLACED_FIRST = ["delete", "create"], ["create", "delete"]
TAINTED = "replace_because_tainted"


def resource(index: Any, actions: list[str], *, kind: str = "aws_ecs_service", **more: Any) -> dict[str, Any]:
    own = "" if index is None else f"[{index}]" if isinstance(index, int) else f'["{index}"]'
    module = more.get("module_address", "")
    change: dict[str, Any] = {
        "address": f"{module}{'.' if module else ''}{kind}.this{own}", "mode": "managed", "type": kind, "name": "this",
        "change": {"actions": actions, "before": {"password": "hunter2"}}, **more,
    }  # fmt: skip
    return change if index is None else {**change, "index": index}


def plan_of(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "resource_changes": list(resources), "complete": True, "errored": False, **more}


CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("what is made is not refused", resource(NEW, ["create"]), False),
    ("what is changed in its place is not refused", resource(None, ["update"]), False),
    ("what is read is not refused", resource(None, ["read"]), False),
    ("what stays is not refused", resource(STABLE, ["no-op"]), False),
    ("what is below the id of an ended release may go", resource(OLD, ["delete"]), False),
    ("and what is in a module of it", resource(None, ["delete"], module_address=f'module.r["{OLD}"]'), False),
    ("and deeper", resource(0, ["delete"], module_address=f'module.a.module.r["{OLD}"].module.b[3]'), False),
    ("what is of no release may not go", resource(None, ["delete"]), True),
    ("nor be replaced", resource(None, REPLACED), True),
    ("nor be replaced with the new one first", resource(None, REPLACED_FIRST), True),
    ("what serves may not go", resource(STABLE, ["delete"]), True),
    ("nor be replaced", resource(STABLE, REPLACED), True),
    ("nor be replaced with the new one first", resource(STABLE, REPLACED_FIRST), True),
    ("a new release without traffic may be made anew", resource(NEW, REPLACED), False),
    ("but not go", resource(NEW, ["delete"]), True),
    ("what is left of a replacement may be taken away of it", resource(NEW, ["delete"], deposed="1a2b"), False),
    ("but not of what serves", resource(STABLE, ["delete"], deposed="1a2b"), True),
    ("a revision of what serves may follow another", resource(STABLE, REPLACED, kind="aws_ecs_task_definition"), False),
    ("of what is of no release, too", resource(None, REPLACED_FIRST, kind="aws_ecs_task_definition"), False),
    ("an old revision may be cleared away",
     resource(STABLE, ["delete"], kind="aws_ecs_task_definition", deposed="1a2b"), False),
    ("but the last may not go", resource(STABLE, ["delete"], kind="aws_ecs_task_definition"), True),
    ("what is let go of is not looked after any more", resource(None, ["forget"]), True),
    ("in whatever way", resource(STABLE, ["create", "forget"]), True),
    ("what nobody knows is refused", resource(STABLE, ["incinerate"]), True),
    ("what is half made is made anew", resource(None, REPLACED, action_reason=TAINTED), False),
    ("of what gets traffic, too", resource(STABLE, REPLACED, action_reason=TAINTED), False),
    ("but it does not go", resource(None, ["delete"], action_reason=TAINTED), True),
    # An id as a part of something else is no id.
    ("a key that begins with the id", resource(f"{OLD}x", ["delete"]), True),
    ("a key that ends with it", resource(f"x{OLD}", ["delete"]), True),
    ("a path with it", resource(f"{OLD}/blue", ["delete"]), True),
    ("the first twelve of it", resource(OLD[:12], ["delete"]), True),
    ("the id in capitals", resource(OLD.upper(), ["delete"]), True),
    ("a key that looks like an address", resource(f'x"].aws_ecs_service.this["{OLD}', ["delete"]), True),
    ("a resource that is called so", resource(None, ["delete"], address=f'a.b["{OLD}"]'), True),
    ("a module that is called so", resource(None, ["delete"], module_address=f"module._{OLD}"), True),
    ("a module's key that looks like a module",
     resource(None, ["delete"], module_address=f'module.r["x\\"].module.r[\\"{OLD}"]'), True),
    ("a module's key with a bracket in it",
     resource(None, ["delete"], module_address=f'module.r["a]b.module.c[{OLD}"]'), True),
    ("a module's key with an escaped backslash before its end",
     resource(None, ["delete"], module_address=f'module.r["x\\\\"].module.s["{OLD}"]'), False),
    ("a data source's name is not a key", resource(None, ["delete"], name=OLD), True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "change", "is_refused"), CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)]
)
def test_what_a_plan_may_do(what: str, change: dict[str, Any], is_refused: bool) -> None:
    changes = planned_changes(plan_of(change))
    found = refused(changes, ended={OLD}, idle={NEW})
    assert [each.address for each in found] == [change["address"]] * is_refused, what


@pytest.mark.parametrize(
    ("place", "is_named"),
    [
        ("module.a.aws_lb.this", True), ("module.a", True), ("module.a.aws_lb", True), ("module", True),
        ("module.a.aws_lb.thi", False), ("module.a.aws", False), ("aws_lb.this", False),
        ('module.a.aws_lb.this["y"]', False),
        ('module.a.aws_lb.this["x"]', True), ("", False),
    ],
)  # fmt: skip
def test_what_is_named_may_be_destroyed(place: str, is_named: bool) -> None:
    address = 'module.a.aws_lb.this["x"]'
    assert is_below(address, place) == is_named
    change = PlannedChange(address=address, kind="aws_lb", actions=("delete",))
    assert (refused([change], ended=(), may_destroy=[place]) == ()) == is_named


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("aws_lb.this", ()),
        ("aws_lb.this[0]", ("0",)),
        (f'terraform_data.service["{OLD}"]', (OLD,)),
        (f'module.a["x"].module.b.aws_lb.this["{OLD}"]', ("x", OLD)),
        (r'module.a["x\"].aws_lb.this[\"y"].aws_lb.z["w"]', (r"x\"].aws_lb.this[\"y", "w")),
    ],
)
def test_the_keys_of_an_address(address: str, keys: tuple[str, ...]) -> None:
    assert keys_of(address) == keys


@pytest.mark.parametrize(
    "address", ["", "data.aws_vpc.this", "module.a", "aws_lb", 'aws_lb.this["x', "a.b.c", "a.b[x]"]
)
def test_what_is_no_address_of_a_managed_resource(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        keys_of(address)


@pytest.mark.parametrize(
    "plan",
    [
        {}, {"format_version": 1}, {"format_version": "2.0"}, plan_of(errored=True), plan_of(complete=False),
        plan_of(deferred_changes=[{}]), plan_of({"address": "a.b"}), plan_of({**resource(None, []), "change": {}}),
        plan_of(resource(None, [])), {"format_version": "1.2", "resource_changes": ["x"]},
        plan_of(resource(None, ["delete"], module_address="not a module")),
        plan_of(resource(None, ["delete"], module_address=f'module.r["{OLD}"')),
    ],
)  # fmt: skip
def test_a_plan_that_is_not_understood_is_none(plan: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"plan|module|said"):
        planned_changes(plan)


def test_what_is_taken_over_is_on_record_and_judged_as_everything() -> None:
    taken = resource(NEW, ["no-op"])
    taken["change"]["importing"] = {"id": "arn:secret"}
    (change,) = planned_changes(plan_of(taken))
    assert change.to_json() == {"address": taken["address"], "actions": ["no-op"], "imported": True}
    assert refused([change], ended=()) == ()
    made_anew = resource(STABLE, REPLACED)
    made_anew["change"]["importing"] = {"id": "x"}
    assert refused(planned_changes(plan_of(made_anew)), ended=()) != ()


def test_no_value_is_kept() -> None:
    plan = plan_of(
        resource(OLD, ["delete"], action_reason="delete_because_each_key", deposed="1a"), resource(None, ["no-op"]),
        output_changes={"url": {"actions": ["no-op"]}, "password": {"actions": ["update"], "after": "hunter2"}},
    )  # fmt: skip
    kept = [change.to_json() for change in planned_changes(plan)]
    assert kept == [
        {"address": f'aws_ecs_service.this["{OLD}"]', "actions": ["delete"], "deposed": "1a",
         "reason": "delete_because_each_key"}
    ]  # fmt: skip
    assert changed_outputs(plan) == ["password"]
    assert changed_outputs({}) == []
