"""The same search on a real scheduler with real workers: each is a process, and some of them die on the way."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

from mlops_ci.adapters import dask_cluster
from mlops_ci.adapters.dask_cluster import DaskScheduler
from mlops_ci.adapters.engines import choose_engine
from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import OutsideError
from mlops_ci.pipeline.registry import Registry
from tests.adapters.dask_services import ROOT, scheduler, worker
from tests.pipeline.searching import declared, searched
from tests.pipeline.team import LOGISTIC, Team, make_team

pytestmark = pytest.mark.slow
FATAL = """\
import os
import signal

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def kill_once(pid, mark):
    try:
        with open(mark, "x") as file:
            file.write(str(pid))
    except FileExistsError:
        return
    os.kill(pid, signal.SIGKILL)


class Fatal(LogisticRegression):
    def fit(self, X, y):
        HERE
        return super().fit(X, y)


def build_model(params):
    return make_pipeline(make_column_transformer((SimpleImputer(), ["height", "age"])), Fatal(**params))
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(tmp_path)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler() as (address, _), worker(address, folder / "one"), worker(address, folder / "two"):
        yield address


def test_every_engine_trains_the_same_bytes(team: Team, cluster: str) -> None:
    """The code is in two modules, and the workers run in folders of their own."""
    team.write("train.py", LOGISTIC.replace("def build", "from scaling import StandardScaler\n\n\ndef build"))
    team.write("scaling.py", "from sklearn.preprocessing import StandardScaler as StandardScaler\n")
    team.set(train__search=declared())
    digests, records = set(), []
    for name, engine in {"one": LocalEngine(1), "two": LocalEngine(2), "dask": DaskScheduler(cluster)}.items():
        registry = Registry(open_store(str(team.root.parent / name)))
        candidate = team.train(engine=engine, registry=registry).candidate
        digests.add(candidate.onnx)
        record = registry.get_json(str(candidate.search))
        del record["seconds"]
        records.append(record)
    assert len(digests) == 1
    assert None not in digests
    assert records[0] == records[1] == records[2]
    assert records[0]["failed"] == 0


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(team: Team, tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    team.write("train.py", FATAL.replace("HERE", f"kill_once(os.getpid(), {str(mark)!r})"))
    with (
        scheduler() as (address, _),
        worker(address, tmp_path / "one") as one,
        worker(address, tmp_path / "two") as two,
    ):
        record = searched(team, DaskScheduler(address))
        assert int(mark.read_text()) in (one, two)
    assert record == searched(team, LocalEngine(1))


@pytest.mark.parametrize(
    ("kill", "env", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", {}, "the Dask scheduler has no worker after 1 s"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
            "a fit failed on Dask: KilledWorker",
        ),
        ("os.kill(SCHEDULER, signal.SIGKILL)", {}, "the Dask scheduler is gone"),
    ],
)
def test_what_cannot_go_on_says_so_and_does_not_hang(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: str, env: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(dask_cluster, "WORKERS_SECONDS", 1.0)
    with scheduler(env) as (address, pid), worker(address, tmp_path / "one"):
        team.write("train.py", FATAL.replace("HERE", kill.replace("SCHEDULER", str(pid))))
        with pytest.raises(OutsideError) as raised:
            searched(team, DaskScheduler(address))
    assert raised.value.what.startswith(said)
    assert raised.value.exit_code == 20


def test_no_scheduler(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 1.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(OutsideError, match=f"no Dask scheduler answers at {address}") as raised:
            searched(team, choose_engine(address))
    assert "MLOPS_ENGINE=local" in raised.value.fix


def test_a_scheduler_without_workers(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "WORKERS_SECONDS", 1.0)
    with scheduler() as (address, _), pytest.raises(OutsideError, match="has no worker after 1 s"):
        searched(team, DaskScheduler(address))


def test_a_worker_with_another_package_is_refused(team: Team, tmp_path: Path) -> None:
    """Its joblib says that it is another version."""
    package = tmp_path / "other" / "joblib-0.0.1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: joblib\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(tmp_path / "other"), str(ROOT)])
    with (
        scheduler() as (address, _),
        worker(address, tmp_path / "one", path=path),
        pytest.raises(OutsideError, match=rf"joblib {joblib.__version__} -> 0\.0\.1") as raised,
    ):
        searched(team, DaskScheduler(address))
    assert "install on the workers what is installed here" in raised.value.fix


def test_a_worker_without_the_toolkit_is_told_so(team: Team, tmp_path: Path) -> None:
    """A package of the name is there, and nothing in it: as good as none."""
    (tmp_path / "empty" / "mlops_ci").mkdir(parents=True)
    (tmp_path / "empty" / "mlops_ci" / "__init__.py").touch()
    with (
        scheduler() as (address, _),
        worker(address, tmp_path / "one", path=str(tmp_path / "empty")),
        pytest.raises(OutsideError, match="the Dask cluster has no mlops-ci") as raised,
    ):
        searched(team, DaskScheduler(address))
    assert "pip install 'mlops-ci[dask]==" in raised.value.fix
