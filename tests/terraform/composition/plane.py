"""Starts, ends and routes to scoring services, as Terraform's local-exec asks; everything is kept in one folder.

`services/<release>` holds what a service says of itself, and `routes.json` what the router goes by. What an image of a
digest would hold is in `files/<digest>`, beside the folders of all environments. A test says in the file `trouble`, as
JSON, what goes wrong, once: `at` which point, and which processes are killed there, or what is said.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def start(plane: Path, release: str) -> None:
    stop(plane, release)  # what an apply that was killed has left
    trouble(plane, "start")
    digest = os.environ["IMAGE"].rpartition(":")[2]
    folder = plane / "services" / release
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output").open("ab") as output:
        subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "mlops_ci.scoring", f"--files={plane.parents[1] / 'files' / digest}"),
                *("--model=tides", f"--version={os.environ['VERSION']}", "--port=0"),
                f"--announce={folder / 'service.json'}",
                *json.loads(os.environ["ARGUMENTS"]),
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    trouble(plane, "started")


def stop(plane: Path, release: str) -> None:
    trouble(plane, "stop")
    announced = plane / "services" / release / "service.json"
    if announced.exists():
        pid = json.loads(announced.read_text())["pid"]
        announced.unlink()
        try:
            while True:
                os.kill(pid, signal.SIGTERM)
                time.sleep(0.02)
        except ProcessLookupError:
            pass


def route(plane: Path) -> None:
    plane.mkdir(parents=True, exist_ok=True)
    trouble(plane, "route")
    path = plane / "routes.json"
    draft = path.with_name(f".routes.{os.getpid()}")
    draft.write_text(os.environ["SHARES"])
    draft.replace(path)
    trouble(plane, "routed")


def trouble(plane: Path, point: str) -> None:
    path = plane / "trouble"
    if not path.exists() or json.loads(path.read_text())["at"] != point:
        return
    planted = json.loads(path.read_text())
    path.unlink()
    if "said" in planted:
        sys.stderr.write(planted["said"])
        sys.exit(1)
    if planted.get("terraform"):
        os.kill(_parent(_parent(os.getpid())), signal.SIGKILL)  # ours is the shell of local-exec
    if planted.get("command"):
        os.kill(planted["command"], signal.SIGKILL)
    waited = planted.get("until", "")
    while waited and not Path(waited).exists():
        Path(f"{waited}.reached").touch()
        time.sleep(0.02)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


if __name__ == "__main__":
    {"start": start, "stop": stop, "route": route}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
