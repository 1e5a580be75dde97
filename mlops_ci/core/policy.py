"""What the gate demands, as it sees it: the completed configuration fits these shapes, and so does any other source.

They are protocols because the configuration is not to be imported here, and a second set of the same classes would
only have to be copied into.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from mlops_ci.core.spending import Spending


class PrimaryRule(Protocol):
    """The metric that decides, how much worse still counts as not worse, and the risk of a wrong decision."""

    @property
    def metric(self) -> str: ...
    @property
    def margin(self) -> float: ...
    @property
    def alpha(self) -> float: ...


class Guardrail(Protocol):
    """A limit for the challenger alone; inclusive."""

    @property
    def metric(self) -> str: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...


class SliceRule(Protocol):
    """How far the metric may drop in each slice of the column `by`, and how many rows a slice must have."""

    @property
    def by(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def max_drop(self) -> float: ...
    @property
    def min_rows(self) -> int: ...


class ValidationRule(Protocol):
    """How far the metric may drop in the validation set of that name, and how many rows it must have."""

    @property
    def name(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def max_drop(self) -> float: ...
    @property
    def min_rows(self) -> int: ...


class FairnessRule(Protocol):
    """How unlike the groups of the column `by` may be treated (inclusive), and how many rows each must have."""

    @property
    def by(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...
    @property
    def min_rows(self) -> int: ...


class Waiver(Protocol):
    """Lets one blocking verdict pass until (and including) the day `expires`."""

    @property
    def verdict(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def approver(self) -> str: ...
    @property
    def expires(self) -> date: ...


class Policy(Protocol):
    """`looks` is how many challengers one holdout may judge, `spending` how alpha is spent over them, `ships` the
    decisions that ship.
    """

    @property
    def primary(self) -> PrimaryRule: ...
    @property
    def guardrails(self) -> Sequence[Guardrail]: ...
    @property
    def slices(self) -> Sequence[SliceRule]: ...
    @property
    def validation(self) -> Sequence[ValidationRule]: ...
    @property
    def fairness(self) -> Sequence[FairnessRule]: ...
    @property
    def looks(self) -> int: ...
    @property
    def spending(self) -> Spending: ...
    @property
    def waivers(self) -> Sequence[Waiver]: ...
    @property
    def ships(self) -> Sequence[str]: ...
