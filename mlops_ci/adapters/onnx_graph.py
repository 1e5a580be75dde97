"""The graph that rules write: operators in double precision, put together as formulas.

A rule (`onnx_rules`) is a function that is given the graph, a fitted estimator and what flows into it, and adds the
operators that do the same. A matrix is the name of a double tensor [rows, columns]; features are blocks of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

ML = "ai.onnx.ml"
OPSET, ML_OPSET, IR_VERSION = 21, 5, 10
"""Fixed, so that a newer onnx does not change the bytes of a graph; onnxruntime knows them since version 1.20."""
ADVICE = "scikit-learn's own transformers and estimators (docs/export.md), and do what they cannot in data.prepare"
REASON_LENGTH = 300


class Unfaithful(Exception):
    """This estimator cannot be converted so that it answers the same: what, and what to use instead."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(what)
        self.instead = instead


def shortened(error: BaseException) -> str:
    """What an error says, on one line: the beginning of what can be 25,000 lines."""
    text = " ".join(str(error)[: 4 * REASON_LENGTH].split())
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]} ..."


@dataclass(frozen=True, kw_only=True)
class Block:
    """Columns of one kind, side by side: the tensor `name` [rows, width], of doubles or of texts.

    `bounded`: the numbers cannot become arbitrarily large, whatever the model is asked. `rounded`: they come from a sum
    or a function whose last digits are not the same in the runtime as natively.
    """

    name: str
    kind: Literal["number", "text"]
    width: int
    bounded: bool = False
    rounded: bool = False


def numbers(
    name: str, width: int, *, of: Sequence[Block] = (), bounded: bool | None = None, rounded: bool | None = None
) -> Block:
    """A block of a matrix of doubles: bounded and rounded as the blocks that it was made of, unless it is said here."""
    if bounded is None:
        bounded = bool(of) and all(block.bounded for block in of)
    if rounded is None:
        rounded = any(block.rounded for block in of)
    return Block(name=name, kind="number", width=width, bounded=bounded, rounded=rounded)


Features = tuple[Block, ...]
"""What flows from one transformer to the next: blocks in the order of their columns."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a classifier answers: probabilities [rows, classes], and the winners' positions [rows].

    `winners` is None where the winner is the class with the largest probability, the first one of equals.
    """

    probabilities: str
    winners: str | None = None


Find = Callable[[str, Any], Callable[..., Any] | None]
"""(what is asked: "transform", "predict", "classify" or "decide"; estimator) -> the rule for it, if there is one."""


class Graph:
    """An ONNX graph in the making. Operators are named by numbers, so the same rules make the same graph."""

    def __init__(self, find: Find, *, prefix: str = "/") -> None:
        """No input's name may begin with `prefix`, as those of all tensors do."""
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._find = find
        self._count = 0

    # Operators

    def add(self, kind: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """An operator of one output, whose name is returned. An input that is no name is a constant."""
        from onnx import helper

        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = self._name()
        self.nodes.append(helper.make_node(kind, names, [output], domain=domain, **attributes))
        return output

    def add_two(self, kind: str, *inputs: Any, **attributes: Any) -> tuple[str, str]:
        """An operator of two outputs."""
        first, second = self.add(kind, *inputs, **attributes), self._name()
        self.nodes[-1].output.append(second)
        return first, second

    def constant(self, values: Any) -> str:
        """A tensor of doubles, int64 or texts, as `values` are."""
        from onnx import TensorProto, helper, numpy_helper

        array = np.asarray(values)
        name = self._name()
        if array.dtype.kind in "OU":
            texts: Any = [str(text).encode() for text in array.ravel()]
            self.initializers.append(helper.make_tensor(name, TensorProto.STRING, array.shape, texts))
        else:
            plain = array if array.dtype == np.bool_ else array.astype(np.int64 if array.dtype.kind in "iu" else float)
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(plain).reshape(array.shape), name))
        return name

    def cast(self, value: str, kind: Literal["DOUBLE", "FLOAT", "INT64", "BOOL"]) -> str:
        from onnx import TensorProto, helper

        output = self._name()
        self.nodes.append(helper.make_node("Cast", [value], [output], to=getattr(TensorProto, kind)))
        return output

    def name(self, value: str, output: str) -> None:
        """Gives a tensor out under this name."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [value], [output]))

    def columns(self, matrix: str, indices: Sequence[int]) -> str:
        """These columns of a matrix, in this order."""
        return self.add("Gather", matrix, np.asarray(indices, dtype=np.int64), axis=1)

    def beside(self, matrices: Sequence[str]) -> str:
        """The matrices side by side."""
        return matrices[0] if len(matrices) == 1 else self.add("Concat", *matrices, axis=1)

    def product(self, matrix: str, weights: Any) -> str:
        """The product of two matrices.

        Not by MatMul: the runtime would melt a factor before or after it into the product, as a float32.
        """
        return self.add("Gemm", matrix, np.asarray(weights, dtype=np.float64))

    def total(self, matrix: str, *, operation: str = "ReduceSum") -> str:
        """The sum of each row, [rows, 1]; or its largest value, ..."""
        return self.add(operation, matrix, np.array([1]), keepdims=1)

    def where(self, condition: str, then: Any, otherwise: Any) -> str:
        return self.add("Where", condition, then, otherwise)

    def horner(self, x: str, coefficients: Sequence[float]) -> str:
        """A polynomial, the coefficient of the highest power first."""
        value: Any = np.float64(coefficients[0])
        for coefficient in coefficients[1:]:
            value = self.add("Add", self.add("Mul", value, x), np.float64(coefficient))
        return str(value)

    def part(self) -> str:
        """A beginning for the names of tensors that others made, which no other tensor has."""
        return f"{self._name()}/"

    # Features

    def matrix(self, features: Features) -> str:
        """All the columns as one matrix of doubles."""
        texts = [block for block in features if block.kind == "text"]
        if texts:
            raise Unfaithful("texts reach a step that computes with numbers", "an encoder for these columns before it")
        return self.beside([block.name for block in features])

    def select(self, features: Features, indices: Sequence[int]) -> Features:
        """Columns by their position over all blocks, in the given order; neighbours of one block stay together."""
        owners = [(number, column) for number, block in enumerate(features) for column in range(block.width)]
        runs: list[tuple[int, list[int]]] = []
        for number, column in (owners[index] for index in indices):
            if runs and runs[-1][0] == number:
                runs[-1][1].append(column)
            else:
                runs.append((number, [column]))
        chosen = []
        for number, picked in runs:
            block = features[number]
            whole = picked == list(range(block.width))
            name = block.name if whole else self.columns(block.name, picked)
            chosen.append(replace(block, name=name, width=len(picked)))
        return tuple(chosen)

    # Estimators

    def transform(self, transformer: Any, features: Features) -> Features:
        """What a fitted transformer makes of the features."""
        made: Features = self._rule("transform", transformer)(self, transformer, features)
        return made

    def predict(self, regressor: Any, features: Features) -> str:
        """What a fitted regressor predicts, [rows, 1]."""
        return str(self._rule("predict", regressor)(self, regressor, features))

    def classify(self, classifier: Any, features: Features) -> Scores:
        """What a fitted classifier answers."""
        scores: Scores = self._rule("classify", classifier)(self, classifier, features)
        return scores

    def winners(self, classifier: Any, features: Features) -> str:
        """The position in `classes_` of the class that a fitted classifier predicts, [rows]."""
        scores = self.classify(classifier, features)
        return scores.winners or self.add("ArgMax", scores.probabilities, axis=1, keepdims=0)

    def decide(self, classifier: Any, features: Features) -> str:
        """A fitted classifier's decision function, [rows, 1] for two classes and else [rows, classes]."""
        return str(self._rule("decide", classifier)(self, classifier, features))

    def _rule(self, asked: str, estimator: Any) -> Callable[..., Any]:
        rule = self._find(asked, estimator)
        if rule is None:
            kind = type(estimator)
            raise Unfaithful(f"{kind.__module__.partition('.')[0]}.{kind.__name__} has no converter", ADVICE)
        return rule

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"
