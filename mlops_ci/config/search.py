"""The section `train.search` of `mlops.yaml`: its rules, its defaults, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_ci.config.document import Complaint, KeyPath
from mlops_ci.config.search_types import CrossValidationConfig, SearchConfig
from mlops_ci.config.wording import shown
from mlops_ci.core.search_space import Range, Space, Values, size

MOST_CANDIDATES = 10_000
_PATH: KeyPath = ("train", "search")
_BUDGETS = {"candidates": ("random", "halving"), "factor": ("halving",)}


def with_search_defaults(search: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The section with every default written out; `model` is the whole file, with its own defaults."""
    filled = {"method": "halving", "metric": model["gate"]["primary"]["metric"]} | dict(search)
    written = search.get("cv", {})
    cv = written if isinstance(written, Mapping) else {"folds": written}
    filled["cv"] = {"folds": 5, "strategy": _strategy(model)} | dict(cv)
    budgets = {"candidates": 30, "factor": 3}
    return {key: budgets[key] for key, methods in _BUDGETS.items() if filled["method"] in methods} | filled


def complete_search(search: Mapping[str, Any]) -> SearchConfig:
    """The section as it is used, once the defaults are in it."""
    cv = search["cv"]
    return SearchConfig(
        space=_space(search["space"]),
        method=search["method"],
        cv=CrossValidationConfig(folds=int(cv["folds"]), strategy=cv["strategy"]),
        metric=search["metric"],
        candidates=int(search["candidates"]) if "candidates" in search else None,
        factor=int(search["factor"]) if "factor" in search else None,
    )


def search_spaces_can_be_searched(model: Mapping[str, Any]) -> Iterator[Complaint]:
    search = (model.get("train") or {}).get("search") or {}
    method = search.get("method", "halving")
    lists = {}
    for name, values in (search.get("space") or {}).items():
        path = (*_PATH, "space", name)
        if isinstance(values, list):
            lists[name] = tuple(values)
        elif isinstance(values, Mapping) and None not in (values.get("min"), values.get("max")):
            yield from _range_problems(path, values, method)
    if method == "grid" and size(lists) > MOST_CANDIDATES:
        what = f"train.search.space has {size(lists):,} combinations; a grid tries at most {MOST_CANDIDATES:,}"
        yield Complaint(path=(*_PATH, "space"), what=what, fix="list fewer values, or use method: random or halving")


def search_budgets_suit_their_method(model: Mapping[str, Any]) -> Iterator[Complaint]:
    search = (model.get("train") or {}).get("search") or {}
    method = search.get("method", "halving")
    for key, methods in _BUDGETS.items():
        if key in search and method is not None and method not in methods:
            path = (*_PATH, key)
            what = f"{shown(path)} says nothing to method {method}"
            yield Complaint(path=path, what=what, fix=f"remove it, or use method: {' or '.join(methods)}")


def cross_validation_has_what_it_needs(model: Mapping[str, Any]) -> Iterator[Complaint]:
    cv = ((model.get("train") or {}).get("search") or {}).get("cv")
    strategy = cv.get("strategy") if isinstance(cv, Mapping) else None
    path = (*_PATH, "cv", "strategy")
    if strategy in ("time", "group") and model.get("data") is not None and strategy not in model["data"]:
        what = f"{shown(path)} is '{strategy}', but data.{strategy} names no column"
        yield Complaint(path=path, what=what, fix=f"add data.{strategy}, or choose another strategy")
    if strategy == "stratified" and model.get("task") == "regression":
        what = f"{shown(path)} is 'stratified', which needs classes, but the task is regression"
        yield Complaint(path=path, what=what, fix="use one of: random, group, time")


SEARCH_RULES = (
    search_spaces_can_be_searched,
    search_budgets_suit_their_method,
    cross_validation_has_what_it_needs,
)


def _range_problems(path: KeyPath, values: Mapping[str, Any], method: str | None) -> Iterator[Complaint]:
    low, high, name = values["min"], values["max"], shown(path)
    if method == "grid":
        fix = "list the values to try, or use method: random or halving"
        yield Complaint(path=path, what=f"{name} is a range, of which a grid cannot try every value", fix=fix)
    if low >= high:
        yield Complaint(path=path, what=f"{name} has min {low} not below max {high}", fix="give it a min below its max")
    elif values.get("log") and low <= 0:
        what = f"{name} is logarithmic, but its min {low} is not above 0"
        yield Complaint(path=path, what=what, fix="write a min above 0, or leave log out")
    if values.get("integer") and not all(float(bound).is_integer() for bound in (low, high) if math.isfinite(bound)):
        what = f"{name} is of whole numbers, but runs from {low} to {high}"
        yield Complaint(path=path, what=what, fix="write whole numbers, or leave integer out")


def _strategy(model: Mapping[str, Any]) -> str:
    """Folds as strict as the data are known to need: what comes later, or belongs together, is not learnt from."""
    if model["split"]["strategy"] == "time":
        return "time"
    if "group" in model["data"]:
        return "group"
    return "random" if model["task"] == "regression" else "stratified"


def _space(written: Mapping[str, Any]) -> Space:
    return {name: _values(values) for name, values in written.items()}


def _values(values: Any) -> Values:
    if not isinstance(values, Mapping):
        return tuple(values)
    low, high = values["min"], values["max"]
    return Range(min=low, max=high, log=values.get("log", False), integer=values.get("integer", False))
