"""What the gate can say of a challenger, each by its name."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

DECISIONS = ("first", "superior", "non-inferior", "inconclusive", "inferior", "not-compared")
"""What the comparison with the champion says; the policy names those that ship.

`not-compared`: there may be a champion, and it was not asked.
"""
SHIPPABLE = frozenset(DECISIONS) - {"inferior", "not-compared"}
BLOCKING = (
    # the numbers mean nothing
    "leakage",
    "schema-changed",
    "parity",
    "champion-unloadable",
    "holdout-exhausted",
    # there are no numbers
    "metric-missing",
    "metric-not-finite",
    "slice-too-small",
    "validation-too-small",
    "group-too-small",
    # the numbers are bad
    "worse-than-baseline",
    "guardrail",
    "validation-regression",
    "slice-regression",
    "fairness",
)
"""Each forbids to ship, whatever the comparison says. Where several apply, the first of this order is the verdict."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict and the sentence that gives its reason."""

    verdict: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text}"


def number(value: float | None) -> float | None:
    """The value where JSON can hold it, None where it is not finite."""
    return value if value is not None and isfinite(value) else None


def shown(value: float | None) -> str:
    """The value as it is read in a sentence: four significant digits."""
    return "nothing" if value is None else f"{value:.4g}"
