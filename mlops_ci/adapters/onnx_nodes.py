"""Adding nodes to a graph that skl2onnx is making."""

from __future__ import annotations

from typing import Any


class Nodes:
    """Names what it adds, so that converters read as formulas."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """A node of one output; returns the output's name."""
        output = output or self._scope.get_unique_variable_name(kind.lower())
        self._container.add_node(kind, inputs, output, name=self._scope.get_unique_operator_name(kind), **attributes)
        return output

    def constant(self, kind: int, shape: list[int], values: list[Any]) -> str:
        """A tensor of this `TensorProto` type; texts are given as bytes."""
        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, kind, shape, values)
        return name
