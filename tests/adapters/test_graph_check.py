"""An ONNX graph of an untrusted job: only plain ONNX that the runtime loads, and nothing can bring the caller down."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import ModelProto, SparseTensorProto, TensorProto, helper

from mlops_ci.adapters.graph_check import ChildProcessCheck
from mlops_ci.cli.trying_graph import problem_of
from mlops_ci.core.signature import Column, Signature

SIGNATURE = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
INSIDE = helper.make_node("Identity", ["x"], ["prediction"])


def model(*nodes: Any, tensors: Any = (), domains: Any = (("", 21),), sparse: Any = ()) -> ModelProto:
    columns = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in ("x", "prediction")]
    graph = helper.make_graph(
        list(nodes) or [INSIDE],
        "g",
        columns[:1],
        columns[1:],
        initializer=list(tensors),
        sparse_initializer=list(sparse),
    )
    opsets = [helper.make_opsetid(*domain) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def outside(name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.DOUBLE, dims=[1, 1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return tensor


def in_a_branch(tensor: TensorProto) -> ModelProto:
    """The tensor in a constant of a graph in an attribute of a node: two levels down."""
    out = helper.make_tensor_value_info("o", TensorProto.DOUBLE, [None, 1])
    inner = helper.make_graph([helper.make_node("Constant", [], ["o"], value=tensor)], "inner", [], [out])
    test = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    return model(test, helper.make_node("If", ["c"], ["prediction"], then_branch=inner, else_branch=inner))


def sparse() -> ModelProto:
    return model(INSIDE, sparse=[SparseTensorProto(values=outside("s"), indices=outside("i"), dims=[1])])


def with_function() -> ModelProto:
    made = model(INSIDE)
    made.functions.append(helper.make_function("", "Mine", ["a"], ["b"], [], [helper.make_opsetid("", 21)]))
    return made


FOREIGN = {
    "another domain": (
        model(helper.make_node("EPContext", ["x"], ["prediction"], domain="com.microsoft")),
        "domain 'com.microsoft'",
    ),
    "a domain that is only declared": (model(domains=(("", 21), ("evil", 1))), "domain 'evil'"),
    "external data": (model(helper.make_node("Add", ["x", "w"], ["prediction"]), tensors=[outside()]), "external data"),
    "external data in a branch": (in_a_branch(outside()), "external data"),
    "external data, sparse": (sparse(), "external data"),
    "functions": (with_function(), "functions"),
    "what the checker refuses": (model(helper.make_node("Identity", ["nowhere"], ["prediction"])), "checker refuses"),
    "an unknown operator": (model(helper.make_node("Evil", ["x"], ["prediction"])), "checker refuses"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "reason"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_more_than_plain_onnx_is_named(made: ModelProto, reason: str) -> None:
    assert reason in problem_of(made.SerializeToString(), SIGNATURE)


@pytest.mark.parametrize("data", [b"", b"\x08\x0a\x12\x04ORTM" + bytes(100), b"garbage" * 100, b"\x0a" * 10_000])
def test_what_is_no_onnx_is_refused(data: bytes) -> None:
    assert problem_of(data, SIGNATURE)


def test_onnxruntimes_own_format_is_refused_though_the_bytes_are_onnx_too() -> None:
    """The producer's name puts the mark of that format at the fifth byte."""
    made = ModelProto(ir_version=10, producer_name="ORTM")
    data = made.SerializeToString()
    assert data[4:8] == b"ORTM"
    assert "own format" in problem_of(data, SIGNATURE)


def test_a_graph_of_another_signature_is_refused() -> None:
    other = Signature(task="regression", inputs=(Column(name="y", kind="text"),))
    assert "no input y" in problem_of(model().SerializeToString(), other)


def test_a_good_graph_is_fine_in_a_process_of_its_own() -> None:
    assert ChildProcessCheck().problem(model().SerializeToString(), SIGNATURE) == ""
    assert "external data" in ChildProcessCheck().problem(in_a_branch(outside()).SerializeToString(), SIGNATURE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"kill", "crashed on it (signal 11)"),
        (b"hang", "longer than 0.5 s"),
        (b"exit", "failed on it (exit code 7)"),
        (b"junk", "failed on it (exit code 0)"),
        (b"talk", "\\x1b[31mbad\\nworse"),
    ],
)
def test_whatever_becomes_of_the_child_is_an_answer(data: bytes, reason: str) -> None:
    check = ChildProcessCheck(module="tests.adapters.dying", seconds=0.5 if data == b"hang" else 30)
    assert reason in check.problem(data, SIGNATURE)


def test_the_child_sees_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_SAS_TOKEN", "MLOPS_STORE"):
        monkeypatch.setenv(name, "secret")
    seen = ChildProcessCheck(module="tests.adapters.dying").problem(b"look", SIGNATURE)
    assert "PYTHONPATH" in seen
    assert "AWS" not in seen
    assert "AZURE" not in seen
    assert "MLOPS" not in seen
