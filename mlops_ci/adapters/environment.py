"""The one place that reads the process's environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STORE_OPTIONS = ("AWS_", "AZURE_", "GOOGLE_")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What mlops-ci takes from its environment. Credentials stay in `store_options`, which is never printed."""

    store: str
    actor: str
    in_actions: bool
    step_summary: Path | None
    step_output: Path | None
    store_options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Environment(store={self.store!r}, actor={self.actor!r}, in_actions={self.in_actions})"


def read_environment() -> Environment:
    """The environment of this process, as GitHub Actions or a person's shell set it."""
    variables = os.environ
    return Environment(
        store=variables.get("MLOPS_STORE", ""),
        actor=variables.get("MLOPS_ACTOR") or variables.get("GITHUB_ACTOR", ""),
        in_actions=variables.get("GITHUB_ACTIONS") == "true",
        step_summary=_path(variables.get("GITHUB_STEP_SUMMARY")),
        step_output=_path(variables.get("GITHUB_OUTPUT")),
        store_options={key: value for key, value in variables.items() if key.startswith(STORE_OPTIONS)},
    )


def settle_libraries() -> None:
    """To be called before a numeric library is loaded, which is when they read these. Whoever chose otherwise is heard.

    Threads of GNU OpenMP that wait for each other spin by default. Where the cores are shared, as they are in CI, they
    take turns at spinning: fits were seen to take ten times as long. And onnxruntime writes a device id and a database
    below the home folder when it is imported, unless it is told not to.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def child_environment() -> dict[str, str]:
    """All variables as they are now, for `adapters.processes`, which hands a child only what it may see."""
    return dict(os.environ)


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
