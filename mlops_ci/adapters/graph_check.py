"""Tries an ONNX graph of an untrusted job: in a process of its own, without credentials, and with little to do harm.

What a graph can do is bounded by what it may hold: operators of the two standard domains, and everything in the bytes
themselves. The checker and the runtime are large programs in C++, so they meet the graph in a child process: if it
crashes them, hangs or eats the memory, that is the answer. The child is no sandbox: it runs as the same user. A graph
that can take over the runtime could still do so where the model is judged and served, and is found by no check here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mlops_ci.adapters.processes import run
from mlops_ci.core.naming import one_line
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError

MODULE = "mlops_ci.cli.trying_graph"
SECONDS = 180
LONGEST = 300


class ChildProcessCheck:
    """Implements `ports.GraphCheck`: `module` is what the child runs, which may take so many `seconds`."""

    def __init__(self, *, module: str = MODULE, seconds: float = SECONDS) -> None:
        self._module = module
        self._seconds = seconds

    def problem(self, onnx: bytes, signature: Signature) -> str:
        head = json.dumps(signature.to_json()).encode()
        home = str(Path(__file__).resolve().parents[2])
        try:
            done = run(
                [sys.executable, "-P", "-m", self._module],
                cwd=Path("/"),
                input=len(head).to_bytes(8, "big") + head + onnx,
                env={"PYTHONPATH": home, "ORT_DISABLE_TELEMETRY": "1"},
                check=False,
                timeout=self._seconds,
            )
        except OutsideError:
            return f"the checker or the runtime took longer than {self._seconds:g} s over it"
        if done.code < 0:
            return f"the checker or the runtime crashed on it (signal {-done.code})"
        try:
            answer = json.loads(done.stdout)["problem"] if done.code == 0 else None
        except (ValueError, KeyError, TypeError):
            answer = None
        if not isinstance(answer, str):
            return f"the checker or the runtime failed on it (exit code {done.code})"
        return one_line(answer[:LONGEST])
