"""`plan` in repositories of 100 to 10,000 models, beside what reading every `mlops.yaml` as a whole would cost.

A quarter of the models declares shared files, and so has to be parsed in part.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from mlops_ci.config.loading import declared

SIZES = (100, 1_000, 10_000)
MODEL = """\
# One model: its data, how it is trained, what it must prove, and where it runs.
schema: 1
model: {name}
task: binary-classification
{shared}data:
  source: data/flights-*.parquet
  target: late
  id: flight_id
  time: time_hour
  features: [carrier, origin, dest, day_of_week, hour, temp, wind_speed, precip, visib]
split: {{strategy: time, holdout: 0.2}}
train:
  entrypoint: train:build_model
  params: {{learner: boosting, learning_rate: 0.1, max_iter: 150, max_depth: 4}}
gate:
  primary: {{metric: roc_auc, margin: 0.005, alpha: 0.05}}
  guardrails: [{{metric: log_loss, max: 0.45}}, {{metric: latency_p99_ms, max: 10}}]
environments:
  qa: {{target: process}}
  production: {{target: process, approvals: {{required: 1}}}}
"""


def main() -> None:
    print("| models | `mlops-ci plan` s | of it Python's start | reading every file whole s | ratio |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _repository(root, size)
            ours = min(_plan(root) for _ in range(3))
            start = min(_timed([sys.executable, "-m", "mlops_ci", "--version"], Path.cwd()) for _ in range(3))
            began = perf_counter()
            declared(root)
            whole = perf_counter() - began + start
            print(f"| {size:,} | {ours:.2f} | {start:.2f} | {whole:.2f} | {whole / ours:.1f} |", flush=True)


def _repository(root: Path, size: int) -> None:
    for number in range(size):
        folder = root / "models" / f"m{number:05}"
        folder.mkdir(parents=True)
        shared = "shared: [../../libs]\n" if number % 4 == 0 else ""
        (folder / "mlops.yaml").write_text(MODEL.format(name=folder.name, shared=shared))
        (folder / "train.py").write_text(f"# {number}\n")
    (root / "libs").mkdir()
    (root / "libs" / "x.py").write_text("")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=root, check=True)
    (root / "libs" / "x.py").write_text("# changed\n")


def _plan(root: Path) -> float:
    return _timed([sys.executable, "-m", "mlops_ci", "plan", "--base", "main", "--json", "-C", str(root)], Path.cwd())


def _timed(command: list[str], folder: Path) -> float:
    began = perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began
