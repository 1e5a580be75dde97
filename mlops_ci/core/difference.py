"""What is known of the difference between two models on the same rows, whatever the method that found it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, nan

from mlops_ci.core.bounds import Bounds

POWER = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """Challenger minus champion on the same rows, oriented so that positive is better.

    `bounds` is None where nothing can be said, and `reason` says why; then all that follows from it is NaN. `units`
    counts what is independent: rows, groups, or blocks of time.
    """

    metric: str
    champion: float
    challenger: float
    estimate: float
    rows: int
    units: int
    bounds: Bounds | None
    reason: str = ""

    @property
    def method(self) -> str:
        return "" if self.bounds is None else self.bounds.method

    @property
    def standard_error(self) -> float:
        return nan if self.bounds is None else self.bounds.standard_error

    def lower(self, alpha: float) -> float:
        """The true difference lies below this with probability `alpha` at most: the one-sided lower bound."""
        return nan if self.bounds is None else self.bounds.lower(alpha)

    def upper(self, alpha: float) -> float:
        """The true difference lies above this with probability `alpha` at most."""
        return nan if self.bounds is None else -self.bounds.flipped().lower(alpha)

    def p_value(self) -> float:
        """How likely so good a difference is where the challenger is in truth no better."""
        return nan if self.bounds is None else self.bounds.p_value()

    def p_worse(self) -> float:
        """How likely so bad a difference is where the challenger is in truth no worse."""
        return nan if self.bounds is None else self.bounds.flipped().p_value()

    def detectable(self, alpha: float, power: float = POWER) -> float:
        """The smallest true difference that these rows would show, at `alpha`, with probability `power`."""
        return nan if self.bounds is None else self.bounds.detectable(alpha, power)

    def rows_to_show(self, distance: float, alpha: float, power: float = POWER) -> int | None:
        """How many rows in all would show, at `alpha` and with `power`, a true difference that is `distance` off."""
        detectable = self.detectable(alpha, power)
        if not distance > 0 or not isfinite(detectable):
            return None
        return ceil(self.rows * (detectable / distance) ** 2)
