"""What JSON Schema cannot say about `mlops.yaml`: each rule looks at what belongs together.

A rule is given values that the schema allows; a part that is wrong by itself is None, and no rule adds to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import combinations
from keyword import iskeyword
from typing import Any

from mlops_ci.config.document import Complaint, KeyPath
from mlops_ci.config.durations import duration
from mlops_ci.config.environments import ENVIRONMENT_RULES
from mlops_ci.config.search import SEARCH_RULES
from mlops_ci.config.vocabulary import FAIRNESS_METRICS, LIMITED_ONLY, METRICS
from mlops_ci.config.wording import choice, shown
from mlops_ci.core.limits import OF_THE_IMAGE

Values = Mapping[str, Any]
_SCHEMES = ("s3", "az", "gs")
LONGEST_LOAD = timedelta(minutes=10)
HIGHEST_RATE = 500
"""Requests a second, as the schema says: what the prober was measured to keep up with on one core."""


def metrics_suit_the_task(model: Values) -> Iterator[Complaint]:
    task = model.get("task")
    if task is None:
        return
    gate = _mapping(model, "gate")
    known = METRICS[task]
    places: list[tuple[KeyPath, Any, tuple[str, ...]]] = [(("gate", "primary"), gate.get("primary"), known)]
    places += [(path, each, (*known, *LIMITED_ONLY)) for path, each in _items(model, "gate", "guardrails")]
    places += [(path, each, known) for key in ("slices", "validation") for path, each in _items(model, "gate", key)]
    places += [(("train", "search"), _mapping(model, "train").get("search"), known)]
    places += [(path, each, FAIRNESS_METRICS[task]) for path, each in _items(model, "gate", "fairness")]
    for path, each, names in places:
        metric = (each or {}).get("metric")
        if metric is not None and metric not in names:
            where = (*path, "metric")
            what = f"{shown(where)} is '{metric}', which does not suit the task {task}"
            yield Complaint(path=where, what=what, fix=choice(metric, names))


def guardrails_have_a_limit(model: Values) -> Iterator[Complaint]:
    for path, guardrail in _items(model, "gate", "guardrails"):
        low, high = guardrail.get("min"), guardrail.get("max")
        if "min" not in guardrail and "max" not in guardrail:
            what = f"{shown(path)} has neither min nor max, so it guards nothing"
            yield Complaint(path=path, what=what, fix="add min or max")
        if low is not None and high is not None and low > high:
            what = f"{shown(path)} has min {low} above max {high}, which nothing can pass"
            yield Complaint(path=path, what=what, fix="exchange the two")


def image_limits_have_an_image(model: Values) -> Iterator[Complaint]:
    """Nothing would ever be held against them: an evaluation leaves them to the release, which builds no image."""
    for path, guardrail in _items(model, "gate", "guardrails"):
        if guardrail.get("metric") in OF_THE_IMAGE and "image" not in model:
            what = f"{shown(path)} limits {guardrail['metric']}, and there is no image"
            yield Complaint(path=path, what=what, fix="add a section `image:`, or limit model_mb instead")


def fairness_has_the_limit_that_fits(model: Values) -> Iterator[Complaint]:
    """The more unlike, the larger a difference and the smaller a ratio: only one of the limits can guard each."""
    for path, rule in _items(model, "gate", "fairness"):
        metric, low, high = rule.get("metric"), rule.get("min"), rule.get("max")
        if metric is None:
            continue
        fits, other = ("min", "max") if metric.endswith("_ratio") else ("max", "min")
        if other in rule:
            what = f"{shown(path)} limits {metric} by {other}, which lets every unlikeness pass"
            yield Complaint(path=(*path, other), what=what, fix=f"limit it by {fits}")
        elif fits not in rule:
            what = f"{shown(path)} has no {fits}, so it guards nothing"
            yield Complaint(path=path, what=what, fix=f"add {fits}")
        elif fits == "min" and low is not None and low > 1:
            what = f"{shown((*path, 'min'))} is {low}, and no ratio is above 1, so nothing can pass"
            yield Complaint(path=(*path, "min"), what=what, fix="write a number from 0 to 1, such as 0.8")
        elif fits == "max" and high is not None and high < 0:
            what = f"{shown((*path, 'max'))} is {high}, and no difference is below 0, so nothing can pass"
            yield Complaint(path=(*path, "max"), what=what, fix="write a number from 0 up, such as 0.1")


def split_has_what_it_needs(model: Values) -> Iterator[Complaint]:
    strategy = _mapping(model, "split").get("strategy")
    path = ("split", "strategy")
    if strategy in ("time", "group") and model.get("data") is not None and strategy not in model["data"]:
        what = f"split.strategy is '{strategy}', but data.{strategy} names no column"
        yield Complaint(path=path, what=what, fix=f"add data.{strategy}, or choose another strategy")
    if strategy == "stratified" and model.get("task") == "regression":
        what = "split.strategy is 'stratified', which needs classes, but the task is regression"
        yield Complaint(path=path, what=what, fix="use one of: random, group, time")


def validation_sets_have_what_they_need(model: Values) -> Iterator[Complaint]:
    data = model.get("data")
    for path, each in _items(model, "split", "validation"):
        strategy, by = each.get("strategy"), "by" in each
        if strategy in ("time", "group") and not by and data is not None and strategy not in data:
            what = f"{shown(path)} is cut by {strategy}, but has no `by`, and data.{strategy} names no column"
            yield Complaint(path=path, what=what, fix=f"add by: COLUMN, or data.{strategy}")
        if strategy == "stratified" and not by and model.get("task") == "regression":
            what = f"{shown(path)} is stratified, which needs classes, but has no `by`, and the task is regression"
            yield Complaint(path=path, what=what, fix="add by: COLUMN, or use one of: random, group, time")
        if strategy == "random" and by:
            what = f"{shown((*path, 'by'))} names a column, and a random set goes by none"
            yield Complaint(path=(*path, "by"), what=what, fix="remove it, or choose another strategy")
    split = _mapping(model, "split")
    shares = [each.get("share", 0.1) for _, each in _items(model, "split", "validation")]
    whole = sum(share or 0 for share in (split.get("holdout", 0.2), *shares))
    if shares and whole > 1 - 1e-9:
        what = f"holdout and validation sets together take {whole:.3g} of the rows, which leaves none to train on"
        yield Complaint(path=("split", "validation"), what=what, fix="choose smaller shares")


def validation_sets_are_named_once(model: Values) -> Iterator[Complaint]:
    declared = [each.get("name") for _, each in _items(model, "split", "validation")]
    for section in ("split", "gate"):
        seen: set[str] = set()
        for path, each in _items(model, section, "validation"):
            where, name = (*path, "name"), each.get("name")
            if name is not None and name in seen:
                yield Complaint(path=where, what=f"{shown(where)} is '{name}' once more", fix="give each its own name")
            elif name is not None and name not in declared and None not in declared:
                what = f"{shown(where)} is '{name}', and split.validation declares no such set"
                fix = choice(name, declared) if declared else "declare it there, or remove it here"
                yield Complaint(path=where, what=what, fix=fix)
            seen.add(name)


def columns_play_one_part(model: Values) -> Iterator[Complaint]:
    """A group may be a time (days as groups) and may be a feature; nothing else may be two things."""
    data = _mapping(model, "data")
    for one, other in combinations(("target", "id", "time", "group"), 2):
        same = data.get(one) is not None and data.get(one) == data.get(other)
        if same and (one, other) != ("time", "group"):
            what = f"data.{one} and data.{other} are both the column '{data[one]}'"
            yield Complaint(path=("data", other), what=what, fix="name two different columns")
    for path, feature in _items(model, "data", "features"):
        for part in ("target", "id"):
            if feature == data.get(part):
                what = f"{shown(path)} is '{feature}', which is the {part} and must not be learnt from"
                yield Complaint(path=path, what=what, fix="remove it from the features")


def source_is_within_reach(model: Values) -> Iterator[Complaint]:
    source = _mapping(model, "data").get("source") or ""
    scheme, separator, _ = source.partition("://")
    if separator and scheme not in _SCHEMES:
        fix = "use a path, s3://, az:// or gs://"
        yield Complaint(path=("data", "source"), what=f"data.source begins with unknown '{scheme}://'", fix=fix)


def entrypoints_are_importable_names(model: Values) -> Iterator[Complaint]:
    for section, key in (("data", "prepare"), ("train", "entrypoint")):
        entrypoint = _mapping(model, section).get(key)
        if entrypoint is None:
            continue
        module, _, function = entrypoint.partition(":")
        wrong = [name for name in (*module.split("."), function) if not name.isidentifier() or iskeyword(name)]
        if module.endswith(".py"):
            wrong = [module]
        if wrong:
            what = f"{section}.{key} is '{entrypoint}', but '{wrong[0]}' is not a name that Python can import"
            fix = "write module:function, such as train:build_model, without folders or .py"
            yield Complaint(path=(section, key), what=what, fix=fix)


def waivers_end_on_a_day(model: Values) -> Iterator[Complaint]:
    for path, waiver in _items(model, "gate", "waivers"):
        expires = waiver.get("expires")
        try:
            date.fromisoformat(expires or "2000-01-01")
        except ValueError:
            where = (*path, "expires")
            what = f"{shown(where)} is '{expires}', which is no day of the calendar"
            yield Complaint(path=where, what=what, fix="write year-month-day, such as 2026-01-31")


def windows_have_a_length(model: Values) -> Iterator[Complaint]:
    window = _mapping(model, "monitor").get("window")
    if window is not None and not duration(window):
        what = f"monitor.window is '{window}', which holds no data"
        yield Complaint(path=("monitor", "window"), what=what, fix="write a longer one, such as 7d")


def loads_come_to_an_end(model: Values) -> Iterator[Complaint]:
    longest = _mapping(model, "verification").get("duration")
    if longest is not None and duration(longest) > LONGEST_LOAD:
        what = f"verification.duration is '{longest}', and every deployment would wait for it"
        yield Complaint(path=("verification", "duration"), what=what, fix="write at most 10m, such as 2s")


MODEL_RULES = (
    metrics_suit_the_task,
    guardrails_have_a_limit,
    image_limits_have_an_image,
    fairness_has_the_limit_that_fits,
    split_has_what_it_needs,
    validation_sets_have_what_they_need,
    validation_sets_are_named_once,
    columns_play_one_part,
    source_is_within_reach,
    entrypoints_are_importable_names,
    *ENVIRONMENT_RULES,
    waivers_end_on_a_day,
    windows_have_a_length,
    loads_come_to_an_end,
    *SEARCH_RULES,
)


def _mapping(values: Values, key: str) -> Values:
    found: Values | None = values.get(key)
    return found or {}


def _items(model: Values, section: str, key: str) -> Iterator[tuple[KeyPath, Any]]:
    for position, item in enumerate(_mapping(model, section).get(key) or ()):
        if item is not None:
            yield (section, key, position), item
