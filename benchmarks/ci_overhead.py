"""What `mlops-ci ci` costs over a bare script that fits and scores the same pipeline on all flights of 2013.

The bare script reads the same Parquet files, makes the same split by time, fits the same `build_model`, and prints
three metrics of the holdout. `mlops-ci ci` does that too, and beside it: checks the data against the schema, hashes
the lock, converts to ONNX, compares ONNX with the native model, bootstraps the gate's intervals and writes the report.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Run, alternate, measure

ROOT = Path(__file__).parents[1]
ROUNDS = 3
BARE = """
import glob
import pandas, yaml
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from train import build_model

config = yaml.safe_load(open("mlops.yaml"))
data = pandas.concat([pandas.read_parquet(path) for path in sorted(glob.glob(config["data"]["source"]))])
data = data.sort_values(config["data"]["time"], kind="stable")
X, y = data[config["data"]["features"]], data[config["data"]["target"]]
numbers = X.select_dtypes("number").columns
X = X.astype({name: "float64" for name in numbers})
cut = int(len(data) * (1 - config["split"]["holdout"]))
model = build_model(config["train"]["params"]).fit(X[:cut], y[:cut])
truth, probabilities = y[cut:], model.predict_proba(X[cut:])[:, 1]
print(len(data), *(metric(truth, probabilities) for metric in (roc_auc_score, log_loss, brier_score_loss)))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = _project(Path(scratch))

        def fresh() -> Run:
            shutil.rmtree(project / ".mlops", ignore_errors=True)
            return measure([sys.executable, "-m", "mlops_ci", "ci", "--quiet", "-C", str(project)], cwd=ROOT)

        def cached() -> Run:
            return measure([sys.executable, "-m", "mlops_ci", "ci", "--quiet", "-C", str(project)], cwd=ROOT)

        def bare() -> Run:
            return measure([sys.executable, "bare.py"], cwd=project)

        def quiet() -> Run:
            # What `mlops-ci` sets for itself (see adapters/environment.py); on shared cores it alone decides the race.
            return measure([sys.executable, "bare.py"], cwd=project, env={"GOMP_SPINCOUNT": "1000"})

        contenders = {"bare script": bare, "bare script, quiet threads": quiet}
        runs = alternate(ROUNDS, contenders | {"mlops-ci ci": fresh, "mlops-ci ci, cached": cached})
    fastest = min(runs[name].seconds for name in contenders)
    print(f"{'':28}{'seconds':>9}{'to the faster script':>22}{'peak MB':>10}")
    for name, run in runs.items():
        print(f"{name:28}{run.seconds:9.1f}{run.seconds / fastest:22.2f}{run.megabytes:10.0f}")


def _project(scratch: Path) -> Path:
    """A repository made from the template, with every flight instead of every sixth."""
    project = scratch / "flights"
    init = ["init", "tabular-classification", str(project), "--defaults"]
    subprocess.run([sys.executable, "-m", "mlops_ci", *init], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    data = project / "data"
    for path in data.glob("*.parquet"):
        path.unlink()
    make = [sys.executable, str(ROOT / "tools" / "make_flights_data.py"), "--every", "1", "--out", str(data)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    (project / "bare.py").write_text(BARE)
    return project


if __name__ == "__main__":
    main()
