"""What cannot be done without: a bare ASGI application that parses, runs the graph and answers, and checks nothing.

`python floor.py FOLDER PORT [MODE]` serves: POST /score takes records, POST /infer tensors, POST /echo gives the body
back. MODE `run` serves nothing and prints the microseconds of `session.run` alone for 1 and for 32 rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

HEADERS = [(b"content-type", b"application/json")]


def session(folder: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


def handlers(folder: Path) -> dict[str, Callable[[bytes], bytes]]:
    """From a body to the answer, by path."""
    model = session(folder)
    columns = json.loads((folder / "signature.json").read_bytes())["inputs"]
    names = {kind: [each["name"] for each in columns if each["kind"] == kind] for kind in ("number", "text")}
    numbers, texts = names["number"], names["text"]
    outputs = ["label", "probabilities"]

    def feeds(rows: list[Any], kind: Any, names: list[str]) -> Iterator[tuple[str, Any]]:
        """All columns of one kind in one conversion: one by one would cost as much as the run."""
        return zip(names, np.array(rows, dtype=kind).reshape(len(names), -1, 1), strict=True)

    def run(columns: Callable[[list[str]], list[Any]]) -> Any:
        inputs = dict(feeds(columns(numbers), np.float64, numbers))
        if texts:
            inputs.update(feeds(columns(texts), object, texts))
        return model.run(outputs, inputs)

    def score(body: bytes) -> bytes:
        records = orjson.loads(body)
        labels, probabilities = run(lambda names: [[record[name] for record in records] for name in names])
        return orjson.dumps({"labels": labels.tolist(), "probabilities": probabilities.tolist()})

    def infer(body: bytes) -> bytes:
        tensors = {tensor["name"]: tensor["data"] for tensor in orjson.loads(body)["inputs"]}
        labels, probabilities = run(lambda names: [tensors[name] for name in names])
        count = len(labels)
        answer = [
            {"name": "label", "datatype": "INT64", "shape": [count], "data": labels.tolist()},
            {"name": "probabilities", "datatype": "FP64", "shape": [count, 2], "data": probabilities.ravel().tolist()},
        ]
        return orjson.dumps({"model_name": "floor", "outputs": answer})

    return {"/score": score, "/infer": infer, "/echo": lambda body: body, "/ready": lambda _: b"{}"}


def application(folder: Path) -> Any:
    routes = handlers(folder)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        answer = routes[scope["path"]](body)
        headers = [*HEADERS, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def run_alone(folder: Path) -> dict[int, float]:
    """Microseconds of a call, the best of several rounds, for 1 and for 32 rows."""
    model = session(folder)
    found = {}
    for rows in (1, 32):
        feeds = {
            node.name: np.full((rows, 1), "category", object) if "string" in node.type else np.zeros((rows, 1))
            for node in model.get_inputs()
        }
        rounds = []
        for _ in range(20):
            started = time.perf_counter()
            for _ in range(100):
                model.run(None, feeds)
            rounds.append((time.perf_counter() - started) / 100)
        found[rows] = min(rounds) * 1e6
    return found


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    if sys.argv[3:] == ["run"]:
        print(json.dumps(run_alone(FOLDER)))
    else:
        import uvicorn

        quiet: dict[str, Any] = {"access_log": False, "log_level": "warning", "ws": "none", "lifespan": "off"}
        uvicorn.run(application(FOLDER), host="127.0.0.1", port=int(sys.argv[2]), http="httptools", **quiet)
