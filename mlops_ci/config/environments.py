"""The section `environments` of `mlops.yaml`: its rules, its defaults, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from mlops_ci.config.clusters import CLUSTER_RULES, complete_kubernetes, complete_terraform, with_cluster_defaults
from mlops_ci.config.document import Complaint, KeyPath
from mlops_ci.config.durations import duration
from mlops_ci.config.types import AbConfig, ApprovalsConfig, EnvironmentConfig, RolloutConfig
from mlops_ci.config.wording import near, shown
from mlops_ci.core.calendar import DAYS, Freeze, Window
from mlops_ci.core.serving import ResourceLimits

Values = Mapping[str, Any]
DEFAULT_ENVIRONMENTS: Values = {"qa": {}, "production": {}}
_WINDOW = {"days": list(DAYS), "from": "00:00", "to": "24:00"}
WINDOWS_TO_THE_DEADLINE = 10
LONGEST = 999_999
"""The largest number that a duration may have."""


def with_environment_defaults(environments: Values, *, workers: int) -> dict[str, Any]:
    """The first environment takes what is merged, at once; into the others a release is let in, step by step.

    What runs in a container is limited: a core for each worker.
    """
    filled = {}
    for position, (name, environment) in enumerate(environments.items()):
        approvals = _approvals_with_defaults(environment.get("approvals", {}), first=not position)
        steps = [10, 50, 100] if position else [100]
        zone = environment.get("timezone", "UTC")
        filled[name] = {"target": "process", "soak": "0s", "timezone": zone, "freeze": []} | environment
        filled[name] |= with_cluster_defaults(environment)
        filled[name]["windows"] = [{**_WINDOW, "timezone": zone, **each} for each in environment.get("windows", ())]
        filled[name]["approvals"] = approvals
        filled[name]["rollout"] = _rollout_with_defaults({"steps": steps, **environment.get("rollout", {})})
        if filled[name]["target"] == "docker":
            filled[name]["limits"] = {"cpus": workers, "memory_mb": 1024} | environment.get("limits", {})
    return filled


def complete_environment(name: str, environment: Values) -> EnvironmentConfig:
    """The environment as it is used, once the defaults are in it."""
    approvals, limits, zone = environment["approvals"], environment.get("limits"), ZoneInfo(environment["timezone"])
    return EnvironmentConfig(
        name=name,
        target=environment["target"],
        approvals=ApprovalsConfig(
            required=int(approvals["required"]),
            high_risk=int(approvals["high_risk"]),
            people=tuple(_person(each) for each in approvals["from"]),
        ),
        rollout=_rollout(environment["rollout"]),
        soak=duration(environment["soak"]),
        windows=tuple(_window(each) for each in environment["windows"]),
        freezes=tuple(
            Freeze(first=_day(each, "from"), last=_day(each, "to"), reason=each["reason"].strip(), timezone=zone)
            for each in environment["freeze"]
        ),
        limits=ResourceLimits(cpus=float(limits["cpus"]), memory_mb=int(limits["memory_mb"])) if limits else None,
        terraform=complete_terraform(environment.get("terraform")),
        kubernetes=complete_kubernetes(environment.get("kubernetes")),
    )


def rollouts_rise_to_all_traffic(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        steps = (environment.get("rollout") or {}).get("steps")
        if not steps or None in steps:
            continue
        where = (*path, "rollout", "steps")
        if any(before >= after for before, after in pairwise(steps)):
            what = f"{shown(where)} {steps} does not rise from step to step"
            yield Complaint(path=where, what=what, fix="put the steps in rising order, each once")
        elif steps[-1] != 100:
            what = f"{shown(where)} {steps} does not end at 100, so the release would never take over"
            yield Complaint(path=where, what=what, fix="add 100 as the last step")


def rollouts_have_the_time_they_need(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        rollout = environment.get("rollout") or {}
        window, deadline = rollout.get("window", "60s"), rollout.get("deadline")
        if window and deadline and duration(deadline) < duration(window):
            where = (*path, "rollout", "deadline")
            what = f"{shown(where)} is '{deadline}', which is over before a step's window of '{window}' is"
            yield Complaint(path=where, what=what, fix=f"write {window} or longer, or leave it out")
        lasts = (rollout.get("ab") or {}).get("duration")
        if lasts and not duration(lasts):
            where = (*path, "rollout", "ab", "duration")
            what = f"{shown(where)} is '{lasts}', in which nothing can be compared"
            yield Complaint(path=where, what=what, fix="write a longer one, such as 7d, or leave out ab")


def the_first_environment_takes_what_is_merged(model: Values) -> Iterator[Complaint]:
    """To ignore what is asked for would be to fail open. Who may merge is said by the forge's branch protection."""
    path, environment = next(_declared(model), ((), {}))
    approvals, rollout = environment.get("approvals") or {}, environment.get("rollout") or {}
    asked = {
        "approvals": any(approvals.values()),
        "soak": bool(environment.get("soak")) and bool(duration(environment["soak"])),
        "rollout.steps": rollout.get("steps") not in (None, [], [100]),
        "rollout.min_requests": bool(rollout.get("min_requests")),
        "rollout.shadow": bool(rollout.get("shadow")) and bool(duration(rollout["shadow"])),
        "rollout.ab": rollout.get("ab") is not None,
    }
    for key in (key for key, is_asked in asked.items() if is_asked):
        where = (*path, *key.split("."))
        what = f"{shown(where)} has no effect in the first environment, which takes at once what `release` brings"
        yield Complaint(path=where, what=what, fix="put an environment before it, or leave this out")


def containers_have_an_image(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        target = environment.get("target")
        if target not in (None, "process") and "image" not in model:
            what = f"{shown((*path, 'target'))} is '{target}', and there is no image to run"
            fix = "add a section `image:`, or write target: process"
            yield Complaint(path=(*path, "target"), what=what, fix=fix)


def limits_can_be_kept(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        target = environment.get("target", "process")
        if environment.get("limits") is not None and target not in (None, "docker"):
            what = f"{shown((*path, 'limits'))} limits a process of this machine, which nothing would keep to them"
            fix = "write target: docker, or remove the limits"
            if target != "process":
                what = f"{shown((*path, 'limits'))} has no effect: target {target} says itself what a service may use"
                fix = "remove it, and say it in the environment's own module or overlay"
            yield Complaint(path=(*path, "limits"), what=what, fix=fix)


def approvals_can_be_given(model: Values) -> Iterator[Complaint]:
    for path, environment in list(_declared(model))[1:]:
        approvals = environment.get("approvals") or {}
        people = approvals.get("from") or ()
        if None in (*people, *approvals.values()):
            continue
        filled = _approvals_with_defaults(approvals, first=False)
        # GitHub takes Ada and ada for one. How many belong to a team is not known here.
        users = {person.removeprefix("@").casefold() for person in people}
        only_users = bool(people) and not any("/" in person for person in people)
        key = "high_risk" if model.get("risk") == "high" else "required"
        if only_users and len(users) < filled[key]:
            where = (*path, "approvals", key)
            what = f"{shown(where)} is {filled[key]}, but `from` names only {len(users)}"
            yield Complaint(path=where, what=what, fix="name more people, or require fewer")
        if filled["high_risk"] < filled["required"]:
            where = (*path, "approvals", "high_risk")
            what = f"{shown(where)} is {filled['high_risk']}, fewer than the {filled['required']} of any model"
            yield Complaint(path=where, what=what, fix=f"write {filled['required']} or more")


def timezones_are_known(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        windows = enumerate(environment.get("windows") or ())
        places = [((*path, "windows", position), window or {}) for position, window in windows]
        for above, holder in [(path, environment), *places]:
            zone = holder.get("timezone")
            if zone is not None and not _is_timezone(zone):
                where: KeyPath = (*above, "timezone")
                meant = near(zone, sorted(available_timezones()))
                fix = f"did you mean '{meant}'?" if meant else "write UTC, or a place such as Europe/Zurich"
                yield Complaint(path=where, what=f"{shown(where)} is '{zone}', which is no known timezone", fix=fix)


def windows_have_a_beginning_and_an_end(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        for position, window in enumerate(environment.get("windows") or ()):
            where = (*path, "windows", position)
            opens, closes = (window or {}).get("from", "00:00"), (window or {}).get("to", "24:00")
            if opens == "24:00":
                what = f"{shown((*where, 'from'))} is 24:00, the end of the day"
                yield Complaint(path=(*where, "from"), what=what, fix="write 00:00 and the day after")
            elif opens is not None and opens == closes:
                what = f"{shown(where)} opens and closes at {opens}"
                yield Complaint(path=where, what=what, fix="for the whole day leave out both")


def freezes_are_days_of_the_calendar(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        for position, freeze in enumerate(environment.get("freeze") or ()):
            where = (*path, "freeze", position)
            wrong = [key for key in ("from", "to") if _no_day((freeze or {}).get(key))]
            for key in wrong:
                what = f"{shown((*where, key))} is '{freeze[key]}', which is no day of the calendar"
                yield Complaint(path=(*where, key), what=what, fix="write year-month-day, such as 2026-12-20")
            first, last = (freeze or {}).get("from"), (freeze or {}).get("to")
            if not wrong and first and last and first > last:
                what = f"{shown(where)} ends on {last}, before it begins on {first}"
                yield Complaint(path=where, what=what, fix="exchange the two")


ENVIRONMENT_RULES = (
    rollouts_rise_to_all_traffic,
    rollouts_have_the_time_they_need,
    the_first_environment_takes_what_is_merged,
    containers_have_an_image,
    limits_can_be_kept,
    *CLUSTER_RULES,
    approvals_can_be_given,
    timezones_are_known,
    windows_have_a_beginning_and_an_end,
    freezes_are_days_of_the_calendar,
)


def _declared(model: Values) -> Iterator[tuple[KeyPath, Values]]:
    for name, environment in (model.get("environments") or {}).items():
        yield ("environments", name), environment or {}


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there; no such name; a folder of the database
        return False
    return True


def _no_day(written: str | None) -> bool:
    try:
        date.fromisoformat(written or "2000-01-01")
    except ValueError:
        return True
    return False


def _approvals_with_defaults(approvals: Values, *, first: bool) -> dict[str, Any]:
    required = approvals.get("required", int(not first))
    return {"required": required, "high_risk": 0 if first else max(2, required + 1), "from": []} | dict(approvals)


def _rollout_with_defaults(rollout: Values) -> dict[str, Any]:
    filled: dict[str, Any] = {"window": "60s", "min_requests": 0, "shadow": "0s", "false_aborts": 0.01, **rollout}
    number, unit = int(filled["window"][:-1]), filled["window"][-1]
    windows = WINDOWS_TO_THE_DEADLINE if filled["min_requests"] else 1
    return {"deadline": f"{min(number * windows, LONGEST)}{unit}"} | filled


def _rollout(rollout: Values) -> RolloutConfig:
    ab = rollout.get("ab")
    return RolloutConfig(
        steps=tuple(int(step) for step in rollout["steps"]),
        window=duration(rollout["window"]),
        min_requests=int(rollout["min_requests"]),
        deadline=duration(rollout["deadline"]),
        shadow=duration(rollout["shadow"]),
        ab=AbConfig(share=int(ab["share"]), duration=duration(ab["duration"])) if ab else None,
        false_aborts=float(rollout["false_aborts"]),
    )


def _window(window: Values) -> Window:
    opens, closes = (time.fromisoformat(window[key].replace("24:", "00:")) for key in ("from", "to"))
    days = frozenset(DAYS.index(day) for day in window["days"])
    return Window(days=days, opens=opens, closes=closes, timezone=ZoneInfo(window["timezone"]))


def _day(freeze: Values, key: str) -> date | None:
    return date.fromisoformat(freeze[key]) if key in freeze else None


def _person(written: str) -> str:
    """A user is `ada` however it was written; a team keeps its `@`."""
    return written if "/" in written else written.removeprefix("@")
