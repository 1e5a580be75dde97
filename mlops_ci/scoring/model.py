"""Runs an ONNX graph: the same code answers offline, where the gate judges a model, and in the live service."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_ci.core.predictions import Predictions, joined
from mlops_ci.core.signature import Column, Signature

CHUNK_ROWS = 8_192
"""Larger batches take more memory and are no faster."""
CHUNK_SECONDS = 0.02
"""A long request lets short ones have their turn about this often."""
REASON_LENGTH = 500
MISSING_LOCALE = re.compile(r"Failed to construct locale with name:([\w.@-]+?)(?=:|$)")
INPUT_TYPES = {"number": "tensor(double)", "text": "tensor(string)"}
FLOATS = ("tensor(float)", "tensor(double)")


def _go_on() -> None:
    """Nobody waits."""


class OnnxModel:
    """A loaded graph; safe to use from several threads.

    `chunk_rows` is how many rows it answers at a time, so that memory stays bounded and others can have their turn.
    """

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        # The wrapper's checks of the inputs take a quarter of the time of a small model, and are made here anyway.
        self._run: Callable[..., Sequence[NDArray[Any]]] = getattr(session, "_sess", session).run
        self._outputs = _outputs_read(signature)
        kind = object if signature.classes and isinstance(signature.classes[0], str) else np.int64
        self._classes = np.array(signature.classes, dtype=kind)
        self.signature = signature
        self.chunk_rows = CHUNK_ROWS

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
        """Answers rows given as one 1-D array a column.

        Raises ValueError naming the column where one is missing, unknown, of another length or of another kind, and
        with the runtime's reason where the graph cannot answer these rows.
        """
        feeds, count = _feeds(columns, self.signature)
        return self.run(feeds, count)

    def run(self, feeds: Mapping[str, NDArray[Any]], rows: int, pause: Callable[[], None] = _go_on) -> Predictions:
        """Answers rows that are known to be of this model's columns: one [rows, 1] array a column, float64 or texts.

        `pause` is called between chunks. Raises ValueError where the graph cannot answer these rows.
        """
        if not rows:
            return self._nothing()
        if rows <= self.chunk_rows:
            return self._answer(feeds)
        parts = []
        start = 0
        while start < rows:
            if start:
                pause()
            chunk = slice(start, start + self.chunk_rows)
            began = thread_time()
            parts.append(self._answer({name: values[chunk] for name, values in feeds.items()}))
            self._fit_chunk(thread_time() - began)
            start = chunk.stop
        return joined(parts)

    def _fit_chunk(self, took: float) -> None:
        """Rows of one model may differ a lot in what they cost, such as long texts and short ones."""
        if took > 2 * CHUNK_SECONDS:
            self.chunk_rows = max(1, self.chunk_rows // 2)
        elif took < CHUNK_SECONDS / 2:
            self.chunk_rows = min(CHUNK_ROWS, self.chunk_rows * 2)

    def _nothing(self) -> Predictions:
        if self.signature.task == "regression":
            return Predictions(values=np.empty(0))
        return Predictions(labels=self._classes[:0], probabilities=np.empty((0, len(self._classes))))

    def _answer(self, feeds: Mapping[str, NDArray[Any]]) -> Predictions:
        try:
            answers = self._run(self._outputs, feeds, None)
        except Exception as error:
            raise _unanswerable(error) from error
        if self.signature.task == "regression":
            return Predictions(values=_floats(answers[0], (-1, 1)).reshape(-1))
        probabilities = _floats(answers[-1], (-1, len(self._classes)))
        if self.signature.task == "binary-classification":
            second = probabilities[:, 1] >= self.signature.threshold
            return Predictions(labels=self._classes[second.astype(np.intp)], probabilities=probabilities)
        labels = answers[0].reshape(-1).astype(self._classes.dtype)
        return Predictions(labels=labels, probabilities=probabilities)


class OnnxRuntime:
    """Implements `ports.ModelRuntime` with onnxruntime on one thread."""

    def load(self, onnx: bytes, signature: Signature) -> OnnxModel:
        """Raises ValueError with the reason where the graph cannot be loaded or does not fit the signature."""
        session = _session(onnx)
        problems = [
            *_signature_problems(signature),
            *_input_problems(session, signature),
            *_output_problems(session, signature),
        ]
        if problems:
            raise ValueError(f"the ONNX graph does not fit its signature: {'; '.join(problems)}")
        return OnnxModel(session, signature)

    def function(self, onnx: bytes) -> Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]:
        """Any graph with columns for inputs, as a function to its outputs by name. Both raise ValueError."""
        session = _session(onnx)
        names = [node.name for node in session.get_outputs()]

        def run(columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
            feeds = {name: values.reshape(-1, 1) for name, values in columns.items()}
            return dict(zip(names, _run(session, names, feeds), strict=True))

        return run


def _session(onnx: bytes) -> Any:
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    # The defaults spin on every core and take up to twice the processor time for the same latency.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors are raised, so there is nothing to log as well
    try:
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"the ONNX graph cannot be loaded: {_locale(str(error))}{_reason(error)}") from error
    return session


def _run(session: Any, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
    try:
        answers: Sequence[NDArray[Any]] = session.run(outputs, feeds)
    except Exception as error:
        raise _unanswerable(error) from error
    return answers


def _unanswerable(error: Exception) -> ValueError:
    return ValueError(f"the model cannot answer these rows: {_reason(error)}")


def _outputs_read(signature: Signature) -> list[str]:
    """What is asked of the graph; a binary classifier's label follows from the threshold."""
    if signature.task == "regression":
        return ["prediction"]
    return ["probabilities"] if signature.task == "binary-classification" else ["label", "probabilities"]


def _onnxruntime() -> Any:
    # onnxruntime 1.31 reports to its maker over the network and keeps a device id in the home directory, unless this
    # variable is set before the import: `disable_telemetry_events` is too late.
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _locale(reason: str) -> str:
    """What to do where the system lacks the locale by whose rules the graph changes the case of texts."""
    found = MISSING_LOCALE.search(reason)
    if found is None:
        return ""
    return (
        f"it changes the case of texts by the rules of the locale {found[1]}, which this system does not have; install "
        f"it, or let the graph's StringNormalizer have the locale C.UTF-8: "
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]} …"


def _signature_problems(signature: Signature) -> list[str]:
    if signature.task == "regression":
        return []
    problems = []
    kinds = {type(label) for label in signature.classes}
    if kinds not in ({int}, {str}):
        problems.append(f"classes have to be all integers or all texts, not {list(signature.classes)}")
    binary = signature.task == "binary-classification"
    if len(set(signature.classes)) != len(signature.classes) or (binary and len(signature.classes) != 2):
        problems.append(f"{signature.task} with the classes {list(signature.classes)}")
    return problems


def _input_problems(session: Any, signature: Signature) -> list[str]:
    inputs = {node.name: node for node in session.get_inputs()}
    names = [column.name for column in signature.inputs]
    problems = [f"input {name} is not in the signature" for name in inputs if name not in names]
    for column in signature.inputs:
        node, kind = inputs.get(column.name), INPUT_TYPES[column.kind]
        if node is None:
            problems.append(f"the graph has no input {column.name}")
        elif node.type != kind or not _fits(node.shape, (None, 1)):
            problems.append(f"input {column.name} is {node.type} {node.shape}, not {kind} [rows, 1]")
    return problems


def _output_problems(session: Any, signature: Signature) -> list[str]:
    outputs = {node.name: node for node in session.get_outputs()}
    expected: dict[str, tuple[tuple[str, ...], tuple[int | None, ...]]]
    if signature.task == "regression":
        expected = {"prediction": (FLOATS, (None, 1))}
    else:
        text = any(isinstance(label, str) for label in signature.classes)
        label = ("tensor(string)",) if text else ("tensor(int64)",)
        expected = {"label": (label, (None,)), "probabilities": (FLOATS, (None, len(signature.classes)))}
    problems = []
    for name, (types, shape) in expected.items():
        node = outputs.get(name)
        if node is None:
            problems.append(f"the graph has no output {name}, only {', '.join(outputs)}")
        elif node.type not in types or not _fits(node.shape, shape):
            problems.append(f"output {name} is {node.type} {node.shape}, not {' or '.join(types)}")
    return problems


def _fits(shape: Sequence[Any], expected: Sequence[int | None]) -> bool:
    """Whether a declared shape, in which a name or None stands for any size, allows the expected one."""
    if len(shape) != len(expected):
        return not shape  # a graph may leave a shape out altogether; the answers' shapes are checked again
    return all(size == wanted or not isinstance(size, int) for size, wanted in zip(shape, expected, strict=True))


def _feeds(columns: Mapping[str, NDArray[Any]], signature: Signature) -> tuple[dict[str, NDArray[Any]], int]:
    missing = [column.name for column in signature.inputs if column.name not in columns]
    unknown = sorted(columns.keys() - {column.name for column in signature.inputs})
    lengths = {len(values) for values in columns.values()}
    if missing or unknown or len(lengths) != 1:
        found = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
        raise ValueError(f"the columns do not fit the model: {'; '.join(found) or f'lengths {sorted(lengths)}'}")
    return {column.name: _feed(column, columns[column.name]) for column in signature.inputs}, lengths.pop()


def _feed(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if column.kind == "number":
        if values.dtype.kind not in "fiub":
            raise ValueError(f"column {column.name} holds {values.dtype}, not numbers")
        return np.ascontiguousarray(values, dtype=np.float64).reshape(-1, 1)
    # onnxruntime would silently turn None into "None" and NaN into "nan"
    if values.dtype.kind not in "OUT" or not all(isinstance(value, str) for value in values):
        raise ValueError(f"column {column.name} holds something that is not a text; a missing text is an empty one")
    return np.asarray(values, dtype=object).reshape(-1, 1)


def _floats(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    if values.ndim != 2 or values.shape[1] != shape[1]:
        raise ValueError(f"the model answered with the shape {list(values.shape)}, not [rows, {shape[1]}]")
    return values.astype(np.float64)
