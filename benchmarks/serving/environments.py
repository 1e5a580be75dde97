"""A Python environment for each peer, made by uv from its pins in scoring_peers/ and kept below build/."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.servers import Unavailable

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "scoring_peers"
CACHE = ROOT / "build" / "benchmarks"
SHARED = ("scikit-learn", "onnxruntime")
"""What everybody has in our version: a pickle must be read by the version that wrote it, and a race be fair."""


@cache
def python_of(pins: str) -> Path:
    """The interpreter of the environment with what scoring_peers/<pins>.txt names; made anew where that changed.

    Raises Unavailable with uv's reason.
    """
    wanted = PEERS / f"{pins}.txt"
    overrides = "".join(f"{name}=={version(name)}\n" for name in SHARED)
    state = hashlib.sha256(wanted.read_bytes() + overrides.encode() + sys.version.encode()).hexdigest()
    folder, stamp = CACHE / pins, CACHE / f"{pins}.stamp"
    python = folder / "bin" / "python"
    if not (python.exists() and stamp.exists() and stamp.read_text() == state):
        print(f"installing {pins}, once", file=sys.stderr)
        CACHE.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        override = CACHE / f"{pins}.overrides"
        override.write_text(overrides)
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        # compiled now, so that no first start pays for it
        install = ("--compile-bytecode", "--python", str(python), "--override", str(override), "-r", str(wanted))
        _uv("pip", "install", *install)
        stamp.write_text(state)
    return python


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"did not install: {' '.join(done.stderr.split())[-300:]}")
