"""What is different about the data since those accepted last: columns, missing values, distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core import drift, two_samples
from mlops_ci.core.signature import Column
from mlops_ci.core.two_samples import Contrast

ALPHA = 0.01
"""The chance that any column of unchanged data is told to have changed."""
SMALLEST = 0.02
"""A smaller distance is worth nobody's time, however sure it is."""

What = Literal["rows", "added", "removed", "kind", "missing-rate", "distribution"]


@dataclass(frozen=True, kw_only=True)
class AcceptedData:
    """The data that were accepted last: `name` says whose they are, `profile` is that of their training rows."""

    name: str
    profile: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that is different; `column` is "" where it is about all rows.

    `before` and `after` are, by `what`: counts of rows, kinds of a column, shares of missing values, or what is typical
    of a distribution (a median, or the text whose share changed most, with its share; None for a private column).
    `distance`, between 0 and 1, is how far apart shares or distributions are; None where that is no question.
    `significant` says that it is more than chance.
    """

    column: str
    what: What
    before: Any
    after: Any
    distance: float | None = None
    significant: bool = True

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        del value["significant"]
        return value

    @property
    def worth_telling(self) -> bool:
        return self.distance is None or (self.significant and self.distance >= SMALLEST)


def changes(
    accepted: AcceptedData,
    columns: Mapping[str, NDArray[Any]],
    inputs: Sequence[Column],
    *,
    rows: int,
    private: Collection[str] = (),
) -> list[Change]:
    """Everything that is different about the training rows now; small and insignificant differences included.

    `columns` are canonical, as for `drift.profile`.
    """
    described = accepted.profile["columns"]
    alpha = ALPHA / max(2 * len(inputs), 1)
    found = []
    if accepted.profile["rows"] != rows:
        found.append(Change(column="", what="rows", before=accepted.profile["rows"], after=rows))
    now = {column.name: column.kind for column in inputs}
    found += [
        Change(column=name, what="removed", before=before["kind"], after=None)
        for name, before in described.items()
        if name not in now
    ]
    for column in inputs:
        before = described.get(column.name)
        if before is None:
            found.append(Change(column=column.name, what="added", before=None, after=column.kind))
        elif before["kind"] != column.kind:
            found.append(Change(column=column.name, what="kind", before=before["kind"], after=column.kind))
        else:
            values = columns[column.name]
            found += _column_changes(
                column.name, before, values, rows=rows, alpha=alpha, private=column.name in private
            )
    return found


def _column_changes(
    name: str, before: Mapping[str, Any], values: NDArray[Any], *, rows: int, alpha: float, private: bool
) -> Iterator[Change]:
    distribution, missing, missing_now = drift.contrasts(before, values, rows=rows)
    if missing.distance:
        yield Change(
            column=name,
            what="missing-rate",
            before=before["missing"] / max(before["missing"] + before["count"], 1),
            after=missing_now / max(rows, 1),
            distance=missing.distance,
            significant=_significant(missing, alpha),
        )
    if distribution.distance:
        then, now = (None, None) if private else _typical(before, values)
        yield Change(
            column=name,
            what="distribution",
            before=then,
            after=now,
            distance=distribution.distance,
            significant=_significant(distribution, alpha),
        )


def _significant(contrast: Contrast, alpha: float) -> bool:
    return two_samples.p_value(contrast, between=0, windows=0) <= alpha


def _typical(before: Mapping[str, Any], values: NDArray[Any]) -> tuple[Any, Any]:
    """The medians; of texts the one whose share changed most, with its shares."""
    if before["kind"] == "number":
        return float(np.median(before["values"])), float(np.median(values[np.isfinite(values)]))
    counts = Counter(values.tolist())
    counts.pop("", None)
    then, now = before["categories"], counts
    total_then, total_now = before["count"], counts.total()
    text = max([*then, *now], key=lambda each: (abs(then.get(each, 0) / total_then - now[each] / total_now), each))
    return f"{text} {then.get(text, 0) / total_then:.1%}", f"{text} {now[text] / total_now:.1%}"
