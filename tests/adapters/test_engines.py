"""Which engine is chosen, how many threads a fit has, and what an interrupt leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from mlops_ci.adapters.dask_cluster import DaskCluster, DaskScheduler
from mlops_ci.adapters.engines import choose_engine
from mlops_ci.adapters.local_engine import LocalEngine
from mlops_ci.adapters.processes import identify
from mlops_ci.errors import ConfigurationError, OutsideError
from tests.pipeline.searching import searched
from tests.pipeline.team import make_team


def test_the_engine_that_was_asked_for() -> None:
    assert isinstance(choose_engine("local"), LocalEngine)
    assert choose_engine("local", "1").name == "this process"
    assert choose_engine("local", "3").name == "3 processes"
    assert isinstance(choose_engine("dask", "2"), DaskCluster)
    assert choose_engine("dask", "2").name == "a Dask cluster of 2 local workers"
    assert isinstance(choose_engine("tls://host:8786"), DaskScheduler)
    assert choose_engine("tcp://host:8786").name == "Dask at tcp://host:8786"


@pytest.mark.parametrize(
    ("engine", "jobs", "said"),
    [
        ("spark", "", "there is no engine 'spark'"),
        ("local", "many", "MLOPS_JOBS is 'many'"),
        ("local", "0", "MLOPS_JOBS is '0'"),
    ],
)
def test_what_makes_no_sense(engine: str, jobs: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        choose_engine(engine, jobs)
    assert raised.value.fix


def test_without_dask_the_line_that_installs_it() -> None:
    """An interpreter whose Dask cannot be imported."""
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from mlops_ci.adapters.engines import choose_engine\nchoose_engine('dask')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigurationError: train.engine asks for Dask, which is not installed" in done.stderr
    assert "pip install 'mlops-ci[dask]'" in done.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_exactly_that_many_threads(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there are cores, too: scikit-learn's own loops would stop there."""
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    _ = np.ones((2, 2)) @ np.ones((2, 2))
    with LocalEngine(1).threads(count):
        assert {pool["num_threads"] for pool in threadpool_info()} == {count}
        assert _openmp_effective_n_threads() == count
        assert os.environ["MKL_NUM_THREADS"] == str(count)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_fit_that_kills_its_process_ends_the_search_with_the_reason(tmp_path: Path) -> None:
    team = make_team(tmp_path)
    team.write("train.py", "import os\n\ndef build_model(params):\n    os._exit(1)\n")
    with pytest.raises(OutsideError, match="a process of the search was killed") as raised:
        searched(team, LocalEngine(2))
    assert "MLOPS_JOBS=1" in raised.value.fix


STUCK = """\
import os, threading
from sklearn.dummy import DummyClassifier


class Stuck(DummyClassifier):
    def fit(self, X, y):
        os.write(2, f"fitting {os.getpid()}\\n".encode())  # at once: another process writes there, too
        threading.Event().wait()


def build_model(params):
    return Stuck()
"""
INTERRUPTED = """\
import sys
from pathlib import Path
from mlops_ci.adapters.engines import choose_engine
from tests.pipeline.searching import declared
from tests.pipeline.team import Team, make_config

if __name__ == "__main__":
    root = Path(sys.argv[1])
    team = Team(root=root, config=make_config(root))
    team.set(train__search=declared())
    team.train(engine=choose_engine(sys.argv[2], "2"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_an_interrupt_leaves_no_process_and_no_file(tmp_path: Path, engine: str, pytestconfig: pytest.Config) -> None:
    """A real process, interrupted when both of its own say that they are fitting."""
    team = make_team(tmp_path)
    team.write("train.py", STUCK)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(team.root), engine],
        cwd=pytestconfig.rootpath,
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        fitting: set[int] = set()
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("fitting "):
                fitting.add(int(line.split()[1]))
            if len(fitting) == 2:
                break
        assert len(fitting) == 2, "".join(lines)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.pid not in fitting
    assert "KeyboardInterrupt" in rest
    assert [pid for pid in fitting if identify(pid)] == []
    assert team.stored == []
    assert sorted(path.name for path in team.root.iterdir()) == ["data.csv", "train.py"]
    assert [path.name for path in scratch.iterdir() if "mlops" in path.name] == []
