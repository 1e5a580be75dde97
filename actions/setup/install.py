"""Puts mlops-ci, as it is in this checkout, into an environment of its own, or finds it where it is there already.

It runs before anything is installed, with the standard library alone, and in jobs whose working folder holds code that
nobody has reviewed: so no program is started in that folder, and no Python looks for modules there.

    python3 -I install.py              installs, and tells GitHub Actions where
    python3 -I install.py --folder     only prints the environment's folder
    python3 -I install.py --shell      installs, and prints what the shell of a pipeline elsewhere has to `eval`

MLOPS_REQUIREMENTS names the team's own packages (a file below MLOPS_DIRECTORY, itself below GITHUB_WORKSPACE). They go
into an environment of their own, too: none that another job finds is ever changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).resolve().with_name("requirements.lock")
USUAL = "requirements.txt"
COMPLETE = "complete"
"""Written last: a folder without it was left by a job that was killed, and is made anew."""


class SetupError(Exception):
    """What cannot be done, in the words that the job's log shows."""


def environment_folder(requirements: Path | None) -> Path:
    """Where the environment belongs: what it is made from is its name, so that a change of any of that is another."""
    runner = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("RUNNER_TEMP") or tempfile.gettempdir()
    digest = hashlib.sha256()
    for part in (platform.python_implementation(), platform.python_version(), platform.machine(), sys.base_prefix):
        digest.update(part.encode() + b"\0")
    for path in (LOCK, *_toolkit()):
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + content)
    if requirements is not None:
        digest.update(b"requirements" + requirements.read_bytes())
    return Path(runner).absolute() / "mlops-ci" / digest.hexdigest()[:20]


def team_requirements() -> Path | None:
    """The file of the team's own packages; None where none is asked for, or the usual one is not there."""
    name = os.environ.get("MLOPS_REQUIREMENTS", "")
    if not name:
        return None
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    path = workspace / os.environ.get("MLOPS_DIRECTORY", ".") / name
    if path.is_file():
        return path
    if name == USUAL:
        return None
    raise SetupError(f"there is no file {path}: correct the input `requirements`, or leave it out")


def install(folder: Path, requirements: Path | None) -> bool:
    """Whether there was anything to do. Jobs that share a machine wait for each other."""
    if (folder / COMPLETE).exists():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if (folder / COMPLETE).exists():
            return False
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, requirements)
        (folder / COMPLETE).touch()
    return True


def _make(folder: Path, requirements: Path | None) -> None:
    python, uv = str(folder / "bin/python"), str(folder / "bin/uv")
    # The pip at hand serves as well, and another one of its own would take longer than all the rest.
    at_hand = importlib.util.find_spec("pip") is not None
    _run(
        "make an environment (with python3 of Debian or Ubuntu: apt-get install python3-venv, or give the input "
        "`python-version`)",
        *(sys.executable, "-I", "-m", "venv", *(["--without-pip"] if at_hand else []), str(folder)),
        within=folder.parent,
    )
    own_pip = (sys.executable, "-I", "-m", "pip", "--python", python) if at_hand else (python, "-I", "-m", "pip")
    pip = (*own_pip, "--disable-pip-version-check", "install", "--quiet")
    with tempfile.TemporaryDirectory(prefix="mlops-ci-") as temporary:
        # uv itself is checked against its hashes, too.
        own = Path(temporary, "uv.txt")
        own.write_text(_lines_of("uv"), encoding="utf-8")
        _run("install uv", *pip, "--require-hashes", "--no-deps", "-r", str(own), within=folder)
    install_all = (uv, "pip", "install", "--quiet", "--python", python)
    hashed = ("--require-hashes", "-r", str(LOCK))
    try:
        _run("install what actions/setup/requirements.lock pins", *install_all, *hashed, within=folder)
    except SetupError as error:
        # Some mirrors are known to pip alone.
        print(f"::warning::{error}; trying pip, which takes a minute or two", flush=True)
        install_all = pip
        _run("install what actions/setup/requirements.lock pins", *install_all, *hashed, within=folder)
    # hatchling is pinned with the rest; nothing else is fetched, and the checkout is only read.
    own_code = ("--no-index", "--no-deps", "--no-build-isolation", str(ROOT))
    _run("install mlops-ci", *install_all, *own_code, within=folder)
    if requirements is not None:
        # Without their hashes: with them pip would want one of each of the team's, too.
        pins = folder / "pins.txt"
        pins.write_text(re.sub(r" *\\\n +--hash=\S+", "", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
        team = ("--constraint", str(pins), "-r", str(requirements))
        what = f"install {requirements.name} beside mlops-ci, whose packages actions/setup/requirements.lock pins"
        _run(what, *install_all, *team, within=folder)


def _run(what: str, *command: str, within: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables.pop("VIRTUAL_ENV", None)
    # Of a company's own certificates the system knows, as pip asks it, too.
    variables.setdefault("UV_SYSTEM_CERTS", "true")
    try:
        subprocess.run(command, cwd=within, env=variables, check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError:
        raise SetupError(f"cannot {what}: see the lines above") from None
    except OSError as error:
        raise SetupError(f"cannot {what}: {error}") from None


def _lines_of(package: str) -> str:
    """The lock's lines on one package: its version and the hashes."""
    found = re.search(rf"^{package}==.*?(?<!\\)$", LOCK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise SetupError(f"{LOCK.name} does not pin {package}")
    return found[0]


def _toolkit() -> Iterator[Path]:
    """The files that are installed."""
    yield ROOT / "pyproject.toml"
    for top in ("mlops_ci", "templates", "infra"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _tell(variable: str, text: str) -> None:
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")


def _for_a_shell(folder: Path, requirements: Path | None) -> int:
    """Whatever else is said goes where errors go: stdout is evaluated."""
    with redirect_stdout(sys.stderr):
        install(folder, requirements)
    print(f'export PATH={shlex.quote(str(folder / "bin"))}:"$PATH"')
    return 0


def main(arguments: list[str]) -> int:
    if sys.platform == "win32":
        print("::error::mlops-ci does not run on Windows: choose a runner with Linux or macOS")
        return 2
    if sys.version_info < (3, 11):
        print(f"::error::mlops-ci needs Python 3.11, not {platform.python_version()}: give the input `python-version`")
        return 2
    try:
        requirements = team_requirements()
        folder = environment_folder(requirements)
        if arguments == ["--folder"]:
            print(folder)
            return 0
        if arguments == ["--shell"]:
            return _for_a_shell(folder, requirements)
        made = install(folder, requirements)
    except SetupError as error:
        print(f"::error::{error}")
        _tell("GITHUB_STEP_SUMMARY", f"### mlops-ci could not be set up\n\n{error}")
        return 2
    _tell("GITHUB_PATH", str(folder / "bin"))
    _tell("GITHUB_OUTPUT", f"environment={folder}\ncached={str(not made).lower()}")
    print(f"mlops-ci is {'installed' if made else 'there already'}: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
