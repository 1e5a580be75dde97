"""What goes into a model and what comes out: all that a client, the gate and the parity check need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Task = Literal["binary-classification", "multiclass-classification", "regression"]
ColumnKind = Literal["number", "text"]
Label = str | int


@dataclass(frozen=True, kw_only=True)
class Column:
    """One input of the graph. A number is float64 with NaN for missing; a text is a string with "" for missing."""

    name: str
    kind: ColumnKind


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The inputs of a graph in their order, and the meaning of its outputs.

    The graph has one input of shape [rows, 1] for each column: tensor(double) for a number, tensor(string) for a
    text. A classifier's outputs are `label` [rows] (int64 or string) and `probabilities` [rows, classes] (float32 or
    double, in the order of `classes`); a regressor's is `prediction` [rows, 1] (float32 or double). A binary
    classifier answers its second class where that class's probability is at least `threshold`.
    """

    task: Task
    inputs: tuple[Column, ...]
    classes: tuple[Label, ...] = ()
    threshold: float = 0.5

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "inputs": [{"name": column.name, "kind": column.kind} for column in self.inputs],
            "classes": list(self.classes),
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Signature:
        return cls(
            task=value["task"],
            inputs=tuple(Column(name=column["name"], kind=column["kind"]) for column in value["inputs"]),
            classes=tuple(value["classes"]),
            threshold=value["threshold"],
        )
