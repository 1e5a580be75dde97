"""The child process in which an untrusted ONNX graph is tried (see `adapters.graph_check`), under limits of its own."""

from __future__ import annotations

import json
import resource
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mlops_ci.core.signature import Signature

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
SECONDS = 180
MEMORY = 8 << 30
_FLATBUFFER = b"ORTM"
"""The mark of onnxruntime's own format, at the fifth byte. Bytes can be both, and then checker and runtime would see
different models."""


def problem_of(onnx: bytes, signature: Signature) -> str:
    """What is wrong with the graph, in this process. Whatever a library raises is an answer."""
    import onnx as library

    from mlops_ci.scoring.model import OnnxRuntime

    if onnx[4:8] == _FLATBUFFER:
        return "it is in onnxruntime's own format, and only ONNX is taken"
    try:
        model = library.load_model_from_string(onnx)
    except Exception as error:  # noqa: BLE001 - that of a library of which onnx's own signature says nothing
        return f"it is no ONNX: {error}"
    found = next(_foreign(model), "")
    if found:
        return found
    try:
        library.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - the checker raises many kinds, and each is its verdict
        return f"the ONNX checker refuses it: {error}"
    try:
        OnnxRuntime().load(onnx, signature)
    except ValueError as error:
        return str(error)
    return ""


def _foreign(model: Any) -> Iterator[str]:
    """What is in it beside standard operators and the bytes of its own tensors."""
    if len(model.functions):
        yield "it defines operators of its own (functions)"
    if len(model.training_info):
        yield "it holds training information"
    for opset in model.opset_import:
        if opset.domain not in DOMAINS:
            yield f"it uses operators of the domain {opset.domain!r}"
    graphs = deque([model.graph])
    while graphs:
        graph = graphs.popleft()
        tensors = [*graph.initializer]
        for sparse in graph.sparse_initializer:
            tensors += [sparse.values, sparse.indices]
        for node in graph.node:
            if node.domain not in DOMAINS:
                yield f"it uses operators of the domain {node.domain!r}"
            for attribute in node.attribute:
                graphs += [attribute.g, *attribute.graphs]
                tensors += [attribute.t, *attribute.tensors]
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    tensors += [sparse.values, sparse.indices]
        if any(tensor.data_location or len(tensor.external_data) for tensor in tensors):
            yield "it has data outside of itself (external data)"


def _limit() -> None:
    """No core file, no file written, bounded memory and processor time, as far as the system has such limits."""
    for name, most in (("CORE", 0), ("FSIZE", 0), ("CPU", SECONDS), ("AS", MEMORY)):
        with suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def main() -> None:
    _limit()
    data = sys.stdin.buffer.read()
    size = 8 + int.from_bytes(data[:8], "big")
    signature = Signature.from_json(json.loads(data[8:size]))
    sys.stdout.write(json.dumps({"problem": problem_of(data[size:], signature)}))


if __name__ == "__main__":
    main()
