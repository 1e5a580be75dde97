"""Looks for the secrets of a team in everything that runs leave behind. Logs are not masked here: see `running`."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from tests.act.team import Team

# How a runner is told to mask a value, and how one step hands a token to the next: both are told the value itself.
TOLD = ("::add-mask::", '"command":"add-mask"', '"name":"token"')
# A runner's own command files lie beside the workspace and the temporary folder.
WORK_FOLDERS = ("hostexecutor", "tmp")


def leaks(team: Team) -> list[str]:
    """Where a secret is found that should be nowhere, by kind of place."""
    wanted = {form: name for name, secret in team.every_secret().items() for form in forms(secret)}
    return sorted(
        {f"{name} in {place}" for place, content in places(team) for form, name in wanted.items() if form in content}
    )


def forms(secret: str) -> set[bytes]:
    """The secret as it is, each line of a key in PEM by itself, in base64, and in an address."""
    raw = secret.encode()
    lines = {line for line in raw.splitlines() if not line.startswith(b"-----")}
    return {raw, *lines, base64.b64encode(raw).rstrip(b"="), quote(secret, safe="").encode()}


def places(team: Team) -> Iterator[tuple[str, bytes]]:
    for run in team.runs:
        said = [line for line in run.output.splitlines() if not any(told in line for told in TOLD)]
        yield f"the log of {run.event}: {run.workflow}", "\n".join(said).encode()
    for name in ("artifacts", "home", "store", "run"):
        yield from files(team.folder / name)
    for job in sorted((team.folder / "cache" / "act").glob("*")):
        for name in WORK_FOLDERS:
            yield from files(job / name)
    yield "the repository", objects(team.remote)
    for name, value in team.hub_says().items():
        yield f"GitHub's {name}", json.dumps(value, default=str).encode()
    for process in processes(team.folder):
        yield f"the environment of {process.name}", contents(process / "environ")
        yield f"the command line of {process.name}", contents(process / "cmdline")


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def objects(remote: Path) -> bytes:
    """All that Git keeps, unpacked."""
    batch = ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"]
    return subprocess.run(batch, cwd=remote, check=True, capture_output=True).stdout


def processes(folder: Path) -> Iterator[Path]:
    """Those that were started with something of this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        if str(folder).encode() in contents(process / "cmdline"):
            yield process


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile, or is somebody else's
        return b""
