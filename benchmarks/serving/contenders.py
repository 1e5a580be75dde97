"""Who is compared: how each is made ready, started and asked, on the path that its own users take by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.serving import requests
from benchmarks.serving.workloads import Workload

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "scoring_peers"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one contender serves one workload: its Python, the workload, a folder of its own and a port."""

    python: Path
    workload: Workload
    folder: Path
    port: int

    @property
    def packed(self) -> bool:
        """All columns are numbers, which users hand over as one matrix where they can."""
        return all(column.kind == "number" for column in self.workload.signature.inputs)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A path and the shape of what is asked and answered there; an echo does not answer for the rows."""

    path: str
    body: requests.Body
    answer: requests.Answer
    answers_rows: bool = True


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`pins` names the file of scoring_peers/ with what is installed for it; None is this project's own Python.

    `runtime` says what computes. `slow` ones answer few requests in a second.
    """

    name: str
    title: str
    runtime: Literal["ours", "floor", "sklearn", "onnx", "none"]
    command: Callable[[Place], list[str]]
    dialect: Callable[[Place], Dialect]
    ready: str
    pins: str | None = None
    prepare: Callable[[Place], None] = lambda _: None
    env: Callable[[Place], Mapping[str, str]] = lambda _: {}
    slow: bool = False


def _ours(place: Place, *more: str) -> list[str]:
    options = ["--model=bench", "--version=1", f"--release={'0' * 64}", f"--port={place.port}"]
    return [str(place.python), "-m", "mlops_ci.scoring", f"--files={place.workload.folder}", *options, *more]


def _logging(place: Place) -> list[str]:
    return _ours(place, f"--log={place.folder / 'predictions.jsonl'}")


def _floor(place: Place) -> list[str]:
    return [str(place.python), str(PEERS / "floor.py"), str(place.workload.folder), str(place.port)]


SCORE = Dialect(path="/score", body=requests.records, answer=requests.from_predictions)
INFER = Dialect(path="/v2/models/bench/infer", body=requests.tensors, answer=requests.from_tensors)
FLOOR_SCORE = Dialect(path="/score", body=requests.records, answer=lambda a: requests.from_pairs(a["probabilities"]))
FLOOR_INFER = Dialect(path="/infer", body=requests.tensors, answer=requests.from_tensors)
ECHO = Dialect(path="/echo", body=requests.records, answer=lambda _: (), answers_rows=False)
READY = "/v2/health/ready"

OURS: tuple[Contender, ...] = (
    Contender(
        name="ours", title="mlops-ci, /score", runtime="ours", command=_ours, dialect=lambda _: SCORE, ready=READY
    ),
    Contender(
        name="ours-log", title="mlops-ci, /score, prediction log of all requests", runtime="ours",
        command=_logging, dialect=lambda _: SCORE, ready=READY,
    ),
    Contender(
        name="ours-infer", title="mlops-ci, Open Inference Protocol", runtime="ours",
        command=_ours, dialect=lambda _: INFER, ready=READY,
    ),
    Contender(
        name="floor", title="floor: parse records, session.run, answer", runtime="floor",
        command=_floor, dialect=lambda _: FLOOR_SCORE, ready="/ready",
    ),
    Contender(
        name="floor-infer", title="floor: parse tensors, session.run, answer", runtime="floor",
        command=_floor, dialect=lambda _: FLOOR_INFER, ready="/ready",
    ),
    Contender(
        name="echo", title="floor: the body back, no model", runtime="none",
        command=_floor, dialect=lambda _: ECHO, ready="/ready",
    ),
)  # fmt: skip
