"""One evaluation as the templates of reports show it: sorted, measured for its lines, and without private values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.pipeline import wording

Evaluation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class View:
    """One evaluation as the templates show it, without private values."""

    number: int
    evaluation: Evaluation

    @classmethod
    def of(cls, evaluation: Evaluation, *, number: int) -> View:
        """`evaluation` is what `evaluate --json` answers; `number` keeps it apart from others on the same page."""
        return cls(number=number, evaluation=_without_private_values(evaluation))

    @property
    def key(self) -> str:
        return f"model-{self.number}"

    @property
    def decimals(self) -> int:
        return wording.decimals_for(self.evaluation["primary"])

    @property
    def slice_decimals(self) -> int:
        found = sorted(wording.decimals_for(one) for one in self.evaluation["slices"])
        return found[len(found) // 2] if found else 3

    @property
    def failing(self) -> list[Mapping[str, Any]]:
        return [one for one in self.evaluation["slices"] if not one["ok"]]

    @property
    def slices(self) -> list[Mapping[str, Any]]:
        """The worst first: those that block, then by the difference."""
        unknown = float("inf")
        return sorted(
            self.evaluation["slices"],
            key=lambda one: (one["ok"], unknown if one["difference"] is None else one["difference"]),
        )

    @property
    def limits(self) -> list[Mapping[str, Any]]:
        """Guardrails and fairness, what is broken first."""
        return sorted([*self.evaluation["guardrails"], *self.evaluation.get("fairness", ())], key=lambda one: one["ok"])

    @property
    def problems(self) -> list[Mapping[str, Any]]:
        return list((self.evaluation.get("data") or {}).get("problems", ()))

    def interval(self, *, width: float = 200) -> dict[str, float] | None:
        """Where the difference, its bounds, zero and the margin are on a line of this width."""
        primary = self.evaluation["primary"]
        return _positions(primary, margin=primary["margin"], reach=_reach([primary], primary["margin"]), width=width)

    def slice_intervals(self, *, width: float = 120) -> list[dict[str, float] | None]:
        reach = _reach(self.slices, 0.0)
        return [_positions(one, margin=0.0, reach=reach, width=width) for one in self.slices]


def _without_private_values(evaluation: Evaluation) -> Evaluation:
    """Slices of a private column are numbered instead of named, in the reasons too."""
    private = set(evaluation.get("private", ()))
    hidden = [one for one in evaluation["slices"] if one["by"] in private]
    if not hidden:
        return evaluation
    numbers = {(one["by"], one["value"]): f"(private {number})" for number, one in enumerate(hidden, start=1)}
    renamed = {f"{by} {value}: ": f"{by} {number}: " for (by, value), number in numbers.items()}

    def reworded(reason: str) -> str:
        verdict, _, text = reason.partition(": ")
        before = max((name for name in renamed if text.startswith(name)), key=len, default="")
        return f"{verdict}: {renamed[before]}{text[len(before) :]}" if before else reason

    slices = [{**one, "value": numbers.get((one["by"], one["value"]), one["value"])} for one in evaluation["slices"]]
    return {**evaluation, "slices": slices, "reasons": [reworded(reason) for reason in evaluation["reasons"]]}


def _reach(differences: Sequence[Mapping[str, Any]], margin: float) -> float:
    """The largest thing that has to be on the line, in either direction."""
    numbers = [one.get(key) for one in differences for key in ("difference", "lower", "upper")]
    return max(margin, *(abs(float(number)) for number in numbers if number is not None), 0.0)


def _positions(outcome: Mapping[str, Any], *, margin: float, reach: float, width: float) -> dict[str, float] | None:
    if outcome["difference"] is None or outcome["lower"] is None or not reach:
        return None

    def at(value: float) -> float:
        return round(width * (0.5 + 0.46 * max(-1.0, min(1.0, value / reach))), 1)

    upper = outcome.get("upper")
    return {
        "zero": at(0),
        "margin": at(-margin),
        "point": at(outcome["difference"]),
        "lower": at(outcome["lower"]),
        "upper": at(outcome["difference"] if upper is None else upper),
    }
