"""Transformers and estimators as a team writes them, with the converters that it registers with skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxDiv, OnnxIdentity, OnnxMatMul, OnnxMul, OnnxSub
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin


class Transformer(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> Any:
        self.n_features_in_ = X.shape[1]
        return self._fit(np.asarray(X))

    def _fit(self, X: Any) -> Any:
        return self


class Ranged(Transformer):
    """(x - least) / (greatest - least), the way a team would write it."""

    def _fit(self, X: Any) -> Any:
        self.least_, self.range_ = np.nanmin(X, axis=0), np.nanmax(X, axis=0) - np.nanmin(X, axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return (np.asarray(X, dtype=np.float64) - self.least_) / self.range_


def as_wide(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, operator.inputs[0].type.shape[1]])


def unknown(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, None])


def far_too_wide(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, 99])


def convert_ranged(scope: Any, operator: Any, container: Any) -> None:
    model, version = operator.raw_operator, container.target_opset
    centred = OnnxSub(operator.inputs[0], model.least_, op_version=version)
    made = OnnxDiv(centred, model.range_, op_version=version, output_names=operator.outputs[:1])
    made.add_to(scope, container)


class RangedOfUnknownWidth(Ranged):
    pass


class RangedOfWrongWidth(Ranged):
    pass


class RangedInSinglePrecision(Ranged):
    pass


def convert_in_single_precision(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator
    name = scope.get_unique_variable_name("single")
    container.add_node("Cast", operator.inputs[0].full_name, name, to=1)
    least, size = (scope.get_unique_variable_name(part) for part in ("least", "size"))
    container.add_initializer(least, 1, [len(model.least_)], model.least_.astype(np.float32))
    container.add_initializer(size, 1, [len(model.range_)], model.range_.astype(np.float32))
    centred = scope.get_unique_variable_name("centred")
    container.add_node("Sub", [name, least], centred)
    container.add_node("Div", [centred, size], operator.outputs[0].full_name)


def as_wide_in_single_precision(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, operator.inputs[0].type.shape[1]])


class Summed(Transformer):
    """Numbers and texts side by side: how large the numbers are together, and whether the last text is empty."""

    def transform(self, X: Any) -> Any:
        texts = [name for name in X if X[name].dtype.kind != "f"]
        size = X.drop(columns=texts).to_numpy().sum(axis=1)
        return np.column_stack([size, X[texts[-1]] == ""]).astype(np.float64)


def two_wide(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, 2])


def convert_summed(scope: Any, operator: Any, container: Any) -> None:
    numbers = [one.full_name for one in operator.inputs if not isinstance(one.type, StringTensorType)]
    texts = [one.full_name for one in operator.inputs if isinstance(one.type, StringTensorType)]
    size, nothing, empty, double = (scope.get_unique_variable_name(name) for name in ("size", "no", "is", "double"))
    container.add_node("Sum", numbers, size)
    container.add_initializer(nothing, 8, [1], [b""])
    container.add_node("Equal", [texts[-1], nothing], empty)
    container.add_node("Cast", empty, double, to=11)
    container.add_node("Concat", [size, double], operator.outputs[0].full_name, axis=1)


class Spoken(Transformer):
    """Texts of texts."""

    def transform(self, X: Any) -> Any:
        return np.asarray(X, dtype=object) + "!"


def texts_as_wide(operator: Any) -> None:
    operator.outputs[0].type = StringTensorType([None, operator.inputs[0].type.shape[1]])


def convert_spoken(scope: Any, operator: Any, container: Any) -> None:
    mark = scope.get_unique_variable_name("mark")
    container.add_initializer(mark, 8, [1], [b"!"])
    container.add_node("StringConcat", [operator.inputs[0].full_name, mark], operator.outputs[0].full_name)


class Turned(Transformer):
    """A product of matrices and a factor beside it, which the runtime would melt together in single precision."""

    def transform(self, X: Any) -> Any:
        return np.asarray(X, dtype=np.float64) @ (np.eye(X.shape[1])[::-1]) * 0.1


def convert_turned(scope: Any, operator: Any, container: Any) -> None:
    version = container.target_opset
    turned = OnnxMatMul(operator.inputs[0], np.eye(operator.inputs[0].type.shape[1])[::-1], op_version=version)
    OnnxMul(turned, np.array(0.1), op_version=version, output_names=operator.outputs[:1]).add_to(scope, container)


class Mean(RegressorMixin, BaseEstimator):
    """The mean of the row and of the target."""

    def fit(self, X: Any, y: Any) -> Any:
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X).mean(axis=1) + self.mean_


def one_wide(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, 1])


def convert_mean(scope: Any, operator: Any, container: Any) -> None:
    version = container.target_opset
    columns = operator.inputs[0].type.shape[1]
    row = OnnxMatMul(operator.inputs[0], np.full((columns, 1), 1 / columns), op_version=version)
    made = OnnxAdd(row, np.array([operator.raw_operator.mean_]), op_version=version, output_names=operator.outputs[:1])
    made.add_to(scope, container)


class Halves(ClassifierMixin, BaseEstimator):
    """The second class where the first column is above its middle, never as sure as that."""

    def fit(self, X: Any, y: Any) -> Any:
        self.classes_, self.middle_ = np.unique(y), float(np.median(np.asarray(X)[:, 0]))
        return self

    def predict_proba(self, X: Any) -> Any:
        above = np.asarray(X)[:, 0] > self.middle_
        second = np.where(above, 0.75, 0.125)
        rest = [np.zeros(len(above))] * (len(self.classes_) - 2)
        return np.column_stack([1 - second, second, *rest])

    def predict(self, X: Any) -> Any:
        """The last class where the first one is likely: not what the probabilities say."""
        return self.classes_[np.where(np.asarray(X)[:, 0] > self.middle_, 1, len(self.classes_) - 1)]


class HalvesWithOptions(Halves):
    """Registered as skl2onnx asks it of classifiers, with the option for dictionaries of probabilities."""


def label_and_probabilities(operator: Any) -> None:
    known = operator.raw_operator.classes_
    kind = StringTensorType if isinstance(known[0], str) else Int64TensorType
    operator.outputs[0].type = kind([None])
    operator.outputs[1].type = DoubleTensorType([None, len(known)])


def convert_halves(scope: Any, operator: Any, container: Any) -> None:
    model, names = operator.raw_operator, iter(scope.get_unique_variable_name(f"half{i}") for i in range(20))
    texts = isinstance(model.classes_[0], str)
    known, tables = len(model.classes_), [next(names) for _ in range(5)]
    container.add_initializer(tables[0], 7, [1], [0])
    container.add_initializer(tables[1], 11, [1], [model.middle_])
    rows = np.zeros((2, known))
    rows[:, :2] = [[0.875, 0.125], [0.25, 0.75]]
    container.add_initializer(tables[2], 11, rows.shape, rows.ravel())
    labels = model.classes_[[known - 1, 1]]
    container.add_initializer(tables[3], 8 if texts else 7, [2], [x.encode() for x in labels] if texts else labels)
    container.add_initializer(tables[4], 7, [1], [-1])
    column, above, number, flat = (next(names) for _ in range(4))
    container.add_node("Gather", [operator.inputs[0].full_name, tables[0]], column, axis=1)
    container.add_node("Greater", [column, tables[1]], above)
    container.add_node("Cast", above, number, to=7)
    container.add_node("Reshape", [number, tables[4]], flat)
    container.add_node("Gather", [tables[3], flat], operator.outputs[0].full_name, axis=0)
    container.add_node("Gather", [tables[2], flat], operator.outputs[1].full_name, axis=0)


class Raising(Ranged):
    pass


def convert_raising(scope: Any, operator: Any, container: Any) -> None:
    raise KeyError("no such thing as a table of tariffs " + 10_000 * "and so on\n")


class Foreign(Ranged):
    pass


def convert_foreign(scope: Any, operator: Any, container: Any) -> None:
    container.add_node(
        "Inverse", operator.inputs[0].full_name, operator.outputs[0].full_name, op_domain="com.microsoft", op_version=1
    )


class Invalid(Ranged):
    pass


def convert_invalid(scope: Any, operator: Any, container: Any) -> None:
    container.add_node(
        "ReduceSum", operator.inputs[0].full_name, operator.outputs[0].full_name, op_version=11, axes=[1]
    )


class Looping(Transformer):
    """Half of the values, by an operator with a graph inside it, which takes a constant from around it."""

    def transform(self, X: Any) -> Any:
        return np.asarray(X) / 2


def convert_looping(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto, helper

    half = scope.get_unique_variable_name("half")
    container.add_initializer(half, TensorProto.DOUBLE, [], [0.5])
    row, made = (
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [operator.inputs[0].type.shape[1]])
        for name in ("row", "made")
    )
    body = helper.make_graph([helper.make_node("Mul", ["row", half], ["made"], name="by half")], "b", [row], [made])
    container.add_node(
        "Scan", operator.inputs[0].full_name, operator.outputs[0].full_name, body=body, num_scan_inputs=1
    )


class OfTrees(RegressorMixin, BaseEstimator):
    """Its converter leaves the work to skl2onnx's own one for trees."""

    def fit(self, X: Any, y: Any) -> Any:
        from sklearn.tree import DecisionTreeRegressor

        self.tree_ = DecisionTreeRegressor(max_depth=3).fit(np.asarray(X), y)
        return self

    def predict(self, X: Any) -> Any:
        return self.tree_.predict(np.asarray(X))


def convert_of_trees(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.algebra.onnx_operator import OnnxSubEstimator

    version = container.target_opset
    tree = OnnxSubEstimator(operator.raw_operator.tree_, operator.inputs[0], op_version=version)
    OnnxIdentity(tree, op_version=version, output_names=operator.outputs[:1]).add_to(scope, container)


class Unregistered(Ranged):
    pass


REGISTERED: tuple[tuple[Any, Any, Any], ...] = (
    (Ranged, as_wide, convert_ranged),
    (RangedOfUnknownWidth, unknown, convert_ranged),
    (RangedOfWrongWidth, far_too_wide, convert_ranged),
    (RangedInSinglePrecision, as_wide_in_single_precision, convert_in_single_precision),
    (Summed, two_wide, convert_summed),
    (Spoken, texts_as_wide, convert_spoken),
    (Turned, as_wide, convert_turned),
    (Looping, as_wide, convert_looping),
    (Mean, one_wide, convert_mean),
    (Halves, label_and_probabilities, convert_halves),
    (Raising, as_wide, convert_raising),
    (Foreign, as_wide, convert_foreign),
    (Invalid, one_wide, convert_invalid),
    (OfTrees, one_wide, convert_of_trees),
)


def register() -> None:
    """Once; it may be repeated."""
    for kind, shapes, converter in REGISTERED:
        update_registered_converter(kind, f"Own{kind.__name__}", shapes, converter)
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    update_registered_converter(
        HalvesWithOptions, "OwnHalvesWithOptions", label_and_probabilities, convert_halves, options=options
    )
