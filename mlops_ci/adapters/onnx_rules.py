"""How each estimator becomes operators of the graph, or why it is refused: one row for each, with the reason.

The rows are in three tables: `onnx_rules_trees` (trees, forests, boosting), `onnx_rules_others` (everything else) and
`onnx_rules_fallback` (what skl2onnx would do wrong). What has no row is left to skl2onnx (`onnx_fallback`). A row is
one of

- `Converts`: our own functions, each named `"module:function"` (a module of this folder, imported when first needed)
  and called with (graph, fitted estimator, features), see `onnx_graph`: `transform` gives features, `predict` the name
  of a matrix [rows, 1], `classify` `Scores`, `decide` the decision function. They raise `Unfaithful` for what they
  cannot keep.
- `Refuses`: a condition on the fitted estimator under which no faithful graph can be made, and what works instead.

An estimator is named by package and class (`sklearn.PCA`), wherever inside the package the class is defined. A class of
a team's own that inherits from it is another one, and has no row.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Converts:
    """Our functions for what can be asked of these classes, each `"module:function"`."""

    classes: tuple[str, ...]
    because: str
    transform: str = ""
    predict: str = ""
    classify: str = ""
    decide: str = ""


@dataclass(frozen=True, kw_only=True)
class Refuses:
    """No graph is made where `when` is true of the fitted estimator; `instead` completes the sentence "use ..."."""

    classes: tuple[str, ...]
    when: Callable[[Any], bool]
    because: str
    instead: str


Rule = Converts | Refuses


def rules() -> tuple[Rule, ...]:
    """All rules, those for trees first."""
    from mlops_ci.adapters.onnx_rules_fallback import FALLBACK
    from mlops_ci.adapters.onnx_rules_others import OTHERS
    from mlops_ci.adapters.onnx_rules_trees import TREES

    return (*TREES, *OTHERS, *FALLBACK)


def find(asked: str, estimator: Any) -> Callable[..., Any] | None:
    """Our function for what is asked of this estimator ("transform", "predict", "classify", "decide"), if any."""
    own = [rule for rule in _rules_for(estimator) if isinstance(rule, Converts)]
    name = next((name for rule in own if (name := getattr(rule, asked))), "" if own else f"onnx_fallback:{asked}")
    if not name:
        return None
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"mlops_ci.adapters.{module}"), function)
    return found


def refusal(estimator: Any) -> tuple[str, str] | None:
    """(what cannot be converted and why, what to use instead) for the first part of the estimator that is refused."""
    for part in parts(estimator):
        for rule in _rules_for(part):
            if isinstance(rule, Refuses) and rule.when(part):
                return f"{type(part).__name__}: {rule.because}", rule.instead
    return None


def parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all the estimators inside it, whatever they are kept in.

    What one keeps in a private attribute is its own affair, and its rule's.
    """
    from sklearn.base import BaseEstimator

    waiting, seen = [estimator], set()
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen or isinstance(item, str | bytes):
            continue
        seen.add(id(item))
        if isinstance(item, BaseEstimator) or hasattr(item, "calibrators"):
            yield item
            waiting += [value for name, value in vars(item).items() if not name.startswith("_")]
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple | set) and len(item) <= 10_000:
            waiting += item


def _rules_for(estimator: Any) -> list[Rule]:
    name = f"{type(estimator).__module__.partition('.')[0]}.{type(estimator).__name__}"
    return [rule for rule in rules() if name in rule.classes]
