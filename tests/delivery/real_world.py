"""The small world with everything real: services in processes, the router, HTTP, the system's clock."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_ci.adapters import processes
from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.config.types import VerificationConfig
from mlops_ci.pipeline.site import Site
from tests.delivery.world import MODEL, POINTS, Line, World

QUICK = VerificationConfig(rate=100, duration=timedelta(0), latency_p99_ms=60_000)
PATIENCE = 60.0
PAUSE = 0.005
"""Seconds between two requests of one user."""


class RealWorld(World):
    """Everything is below `folder`, so that another process finds the same world there."""

    points = POINTS[::6]

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.clock: Any = SystemClock()
        self.client = HttpScoringClient()

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    @property
    def target(self) -> Any:
        return ProcessTarget(self.run_folder, console=self.console)

    def end(self) -> None:
        self.target.shut_down()
        self.client.close()

    def graph(self, line: Line) -> bytes:
        """The line as an ONNX graph, or what no service can start from."""
        return line_graph(line) if line.starts else b"no graph at all"

    def site(self, name: str = "production") -> Site:
        site = super().site(name)
        return replace(site, target=self.target, client=self.client, verification=QUICK)

    def services(self, name: str) -> list[processes.Identity]:
        """All processes that were started for releases of this environment, their workers among them."""
        places = (self.run_folder / "services" / name / MODEL).glob("*/")
        return [one for place in places for one in processes.find(f"--announce={place / 'service.json'}")]

    def routers(self) -> tuple[processes.Identity, ...]:
        return processes.find(f"--providers.file.directory={self.run_folder / 'router' / 'routes'}")

    def litter(self) -> list[str]:
        """Files that belong to something which was under way: there are none once nothing is."""
        patterns = [
            (self.folder / "store" / ".partial", "*"),
            (self.run_folder / "files", ".draft-*"),
            (self.run_folder / "router" / "drafts", "*"),
            (self.root / ".git", "**/*.lock"),
            (self.root / ".git" / "worktrees", "*"),
        ]
        found = [str(path) for folder, pattern in patterns for path in folder.glob(pattern)]
        serving = {self.serving(name) for name in self.names}
        for name in self.names:
            announced = (self.run_folder / "services" / name / MODEL).glob("*/service.json")
            found += [str(path) for path in announced if path.parent.name not in serving]
        return [path for path in found if not path.endswith("mlops-ci.lock")]  # its own locks are on files that stay

    def require_settled(self) -> None:
        """As in the world that it is made of, with real processes; and nothing is left over."""
        for name in self.names:
            serving = self.serving(name)
            assert self.desired(name) == serving, name
            shares = dict(self.target.shares(name, MODEL))
            assert shares == ({serving: 100} if serving else {}), name
            running = [instance.release for instance in self.target.instances(name, MODEL) if instance.healthy]
            assert running == [serving] * (serving is not None), name
            assert len(self.services(name)) == len(running), name
        assert len(self.routers()) <= 1
        assert not self.verified_log()
        assert self.git("status", "--porcelain") == ""
        assert self.git("worktree", "list", "--porcelain").count("worktree ") == 1
        litter = self.litter()
        assert not litter, litter


def line_graph(line: Line) -> bytes:
    """`Line.answer` as an ONNX graph: [rows, 1] doubles to [rows, 1] doubles."""
    from numpy import array
    from onnx import TensorProto, checker, helper, numpy_helper

    def constant(name: str, value: float) -> Any:
        return numpy_helper.from_array(array([value]), name)

    nodes = [
        helper.make_node("Mul", ["x", "slope"], ["sloped"]),
        helper.make_node("Greater", ["x", "one"], ["beyond"]),
        helper.make_node("Add", ["sloped", "live"], ["more"]),
        helper.make_node("Where", ["beyond", "more", "sloped"], ["almost"]),
        helper.make_node("Add", ["almost", "lie"], ["prediction"]),
    ]
    shape = ["rows", 1]
    graph = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, shape)],
        [
            constant("slope", line.slope), constant("one", 1.0), constant("live", line.live),
            constant("lie", 9.0 if line.lies else 0.0),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


@dataclass
class Users:
    """People who ask without a pause, whatever happens, and note what they got."""

    rows: Sequence[float] = (0.5,)
    asked: int = 0
    failures: tuple[str, ...] = ()

    @contextmanager
    def asking(self, world: RealWorld, name: str = "production") -> Iterator[Users]:
        ended = threading.Event()
        thread = threading.Thread(target=self._ask, args=(world.target.url(name, MODEL), ended))
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def _ask(self, url: str, ended: threading.Event) -> None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
        while not ended.wait(PAUSE):
            row = self.rows[self.asked % len(self.rows)]
            self.asked += 1
            try:
                connection.request("POST", f"{address.path}/score", body=json.dumps([{"x": row}]))
                answer = connection.getresponse()
                words = answer.read()[:200]
                # a model without an answer says so, and that is a planted one's doing
                problem = "" if answer.status in (200, 422) else f"{answer.status} {words!r}"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
                connection.close()
            if problem:
                self.failures += (problem,)
        connection.close()
