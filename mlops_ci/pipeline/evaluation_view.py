"""One evaluation as the templates of reports show it: sorted, measured for its lines, and without private values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.pipeline import figures, wording
from mlops_ci.pipeline.model_card import card_facts, performance

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
    def judged(self) -> bool:
        """Whether there is a verdict; without one there are only the problems that kept it from being given."""
        return not wording.failed(self.evaluation)

    @property
    def decimals(self) -> int:
        return figures.decimals_for(self.evaluation["primary"])

    @property
    def slice_decimals(self) -> int:
        found = sorted(figures.decimals_for(one) for one in self.evaluation["slices"])
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

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        return list((self.evaluation.get("data") or {}).get("warnings", ()))

    @property
    def data_changes(self) -> list[Mapping[str, Any]]:
        """The columns that changed since the last accepted data, the largest change first."""
        changes = (self.evaluation.get("data") or {}).get("changes", ())
        return sorted(changes, key=lambda one: -(one.get("distance") or 0.0))

    @property
    def validation(self) -> list[Mapping[str, Any]]:
        """The named validation sets, those that block first."""
        return sorted(self.evaluation.get("validation", ()), key=lambda one: one["ok"])

    @property
    def fairness_groups(self) -> list[Mapping[str, Any]]:
        """The measures of each group by column: the names of the measures as `columns`, and one line a group."""
        tables: list[Mapping[str, Any]] = []
        for one in self.evaluation.get("fairness_groups", ()):
            columns = list(dict.fromkeys(name for group in one["groups"] for name in group["measures"]))
            tables.append({"by": one["by"], "columns": columns, "groups": one["groups"]})
        return tables

    @property
    def diagnostics(self) -> Mapping[str, Any]:
        return self.evaluation.get("diagnostics") or {}

    @property
    def importance(self) -> list[dict[str, Any]]:
        """The features with their loss, the most important first; `share` of the largest loss."""
        features = sorted((self.diagnostics.get("importance") or {}).get("features", ()), key=lambda one: -one["mean"])
        largest = features[0]["mean"] if features and features[0]["mean"] > 0 else 1.0
        return [{**feature, "share": feature["mean"] / largest} for feature in features]

    @property
    def importance_decimals(self) -> int:
        return figures.decimals_to_tell([feature["mean"] for feature in self.importance])

    @property
    def shap(self) -> Mapping[str, float]:
        """The mean absolute SHAP value of each feature, the largest first."""
        features = (self.diagnostics.get("shap") or {}).get("features", ())
        return {one["name"]: one["mean_abs"] for one in sorted(features, key=lambda one: -one["mean_abs"])}

    @property
    def card(self) -> list[tuple[str, str]]:
        return card_facts(self.evaluation)

    @property
    def performance(self) -> str:
        return performance(self.evaluation)

    def interval(self, *, width: float = 200) -> dict[str, float] | None:
        """Where the difference, its bounds, zero and the margin are on a line of this width."""
        primary = self.evaluation["primary"]
        return _positions(primary, margin=primary["margin"], reach=_reach([primary], primary["margin"]), width=width)

    def validation_intervals(self, *, width: float = 120) -> list[dict[str, float] | None]:
        reach = _reach(self.validation, 0.0)
        return [_positions(one, margin=0.0, reach=reach, width=width) for one in self.validation]

    def slice_intervals(self, *, width: float = 120) -> list[dict[str, float] | None]:
        reach = _reach(self.slices, 0.0)
        return [_positions(one, margin=0.0, reach=reach, width=width) for one in self.slices]


def _without_private_values(evaluation: Evaluation) -> Evaluation:
    """Slices of a private column are numbered instead of named, in the reasons too."""
    private = set(evaluation.get("private", ()))
    hidden = [one for one in evaluation.get("slices", ()) if one["by"] in private]
    evaluation = _without_private_groups(evaluation, private)
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


def _without_private_groups(evaluation: Evaluation, private: Collection[str]) -> Evaluation:
    tables = evaluation.get("fairness_groups", ())
    if not any(table["by"] in private for table in tables):
        return evaluation

    def numbered(table: Mapping[str, Any]) -> Mapping[str, Any]:
        groups = [{**one, "value": f"(private {number})"} for number, one in enumerate(table["groups"], start=1)]
        return {**table, "groups": groups} if table["by"] in private else table

    return {**evaluation, "fairness_groups": [numbered(table) for table in tables]}


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
