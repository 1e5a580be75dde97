"""The completed section `train.search`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_ci.core.search_space import Space

SearchMethod = Literal["grid", "random", "halving"]
FoldStrategy = Literal["random", "stratified", "group", "time"]


@dataclass(frozen=True, kw_only=True)
class CrossValidationConfig:
    folds: int
    strategy: FoldStrategy


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Candidates for `train.params`. `candidates` and `factor` are None where the method has no use for them."""

    space: Space
    method: SearchMethod
    cv: CrossValidationConfig
    metric: str
    candidates: int | None
    factor: int | None
