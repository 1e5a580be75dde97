"""What a search costs by `mlops-ci train` on one process, on two and on Dask, over scikit-learn's own GridSearchCV.

All try the same grid of the template's model on the template's flights, by folds of the same sizes, with one thread a
fit, and fit the best again. Ours also checks the data, hashes the lock, converts to ONNX, takes the metrics and keeps
the candidate. Processes are started afresh each time, and all times include that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.measuring import Run, alternate, measure

ROOT = Path(__file__).parents[1]
ROUNDS = 3
FOLDS = 5
SPACE = {"learning_rate": [0.03, 0.1, 0.3], "max_depth": [3, 4, 6]}
DIRECT = """
import glob, sys
import pandas, yaml
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from train import build_model

config = yaml.safe_load(open("mlops.yaml"))
data = pandas.concat([pandas.read_parquet(path) for path in sorted(glob.glob(config["data"]["source"]))])
data = data.sort_values(config["data"]["time"], kind="stable")
X, y = data[config["data"]["features"]], data[config["data"]["target"]]
X = X.astype({name: "float64" for name in X.select_dtypes("number").columns})
cut = int(len(data) * (1 - config["split"]["holdout"]))
search = config["train"]["search"]
grid = GridSearchCV(
    build_model(config["train"]["params"]),
    {f"model__{name}": values for name, values in search["space"].items()},
    scoring="roc_auc", n_jobs=int(sys.argv[1]), cv=StratifiedKFold(search["cv"]["folds"], shuffle=True, random_state=0),
)
print(grid.fit(X[:cut], y[:cut]).best_params_)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = _project(Path(scratch))

        def ours(engine: str, jobs: str) -> Run:
            shutil.rmtree(project / ".mlops", ignore_errors=True)
            command = [sys.executable, "-m", "mlops_ci", "train", "--quiet", "-C", str(project)]
            return measure(command, cwd=ROOT, env={"MLOPS_ENGINE": engine, "MLOPS_JOBS": jobs})

        def direct(jobs: str) -> Run:
            # one thread a fit, as ours have
            return measure([sys.executable, "direct.py", jobs], cwd=project, env={"OMP_NUM_THREADS": "1"})

        runs = alternate(
            ROUNDS,
            {
                "GridSearchCV, 1 process": lambda: direct("1"),
                "GridSearchCV, 2 processes": lambda: direct("2"),
                "mlops-ci, 1 process": lambda: ours("local", "1"),
                "mlops-ci, 2 processes": lambda: ours("local", "2"),
                "mlops-ci, Dask, 2 workers": lambda: ours("dask", "2"),
            },
        )
    base = runs["GridSearchCV, 1 process"].seconds
    print(f"{'':28}{'seconds':>9}{'to GridSearchCV, 1 process':>28}")
    for name, run in runs.items():
        print(f"{name:28}{run.seconds:9.1f}{run.seconds / base:28.2f}")


def _project(scratch: Path) -> Path:
    """A repository made from the template, with a grid to search."""
    project = scratch / "flights"
    init = ["init", "tabular-classification", str(project), "--defaults"]
    subprocess.run([sys.executable, "-m", "mlops_ci", *init], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    path = project / "mlops.yaml"
    config = yaml.safe_load(path.read_text())
    cv = {"folds": FOLDS, "strategy": "stratified"}
    config["train"]["params"]["max_iter"] = 50
    config["train"] |= {"search": {"space": SPACE, "method": "grid", "cv": cv}, "threads": 1}
    config["train"]["diagnostics"] = {"learning_curve": False}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    (project / "direct.py").write_text(DIRECT)
    return project


if __name__ == "__main__":
    main()
