"""The only module that starts, finds and ends processes. A child sees a cleaned environment, never our credentials."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlops_ci.adapters.environment import child_environment
from mlops_ci.errors import OutsideError

PASSED_ON = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR", "TZ", "USER"),
        *("DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"),
        *("SSL_CERT_DIR", "SSL_CERT_FILE"),
    }
)
PASSED_ON_PREFIXES = ("LC_", "XDG_")
# Git alone may need to authenticate. Not GIT_DIR and its like, which a hook sets and which would redirect every call.
GIT_ALSO = ("GIT_ASKPASS", "GIT_CONFIG", "GIT_EXEC_PATH", "GIT_SSH", "GIT_TERMINAL_PROMPT", "SSH_")
GIT_PROXIES = frozenset({"ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
LAST_LINES = 8
POLL_SECONDS = 0.02
URL_CREDENTIALS = re.compile(r"://[^/@\s]+@")


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a command left behind."""

    args: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output without white space at the end."""
        return self.stdout.decode(errors="replace").rstrip()


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One process and no other: a later process may get the same pid, but not the same start."""

    pid: int
    started: str


def run(
    args: Sequence[str],
    *,
    cwd: Path | None = None,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """Runs a command to its end. `env` adds to the cleaned environment; without `input` it reads nothing.

    Raises OutsideError where the program does not exist, takes longer than `timeout` seconds or, with `check`, fails;
    the error carries the last lines of what it wrote to standard error.
    """
    try:
        done = subprocess.run(
            args,
            cwd=cwd,
            input=input or b"",
            env=_environment(args[0], env),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"{_spelled(args)} took longer than {timeout:g} s{_last_words(error.stderr or b'')}"
        ) from error
    except OSError as error:
        raise _cannot_start(args, cwd, error) from error
    completed = Completed(
        args=tuple(args), code=done.returncode, stdout=done.stdout, stderr=done.stderr.decode(errors="replace")
    )
    if check and completed.code != 0:
        raise OutsideError(f"{_spelled(args)} {_how_it_ended(completed.code)}{_last_words(done.stderr)}")
    return completed


def run_gently(
    args: Sequence[str],
    *,
    out: Path,
    cwd: Path,
    env: Mapping[str, str],
    begun: Callable[[Identity], None] = lambda _: None,
    timeout: float | None = None,
) -> int:
    """Runs a command that has to end by itself, and returns its exit code; it writes to `out` and `out`.err.

    It is in a session of its own, so that a terminal's Ctrl-C reaches us alone. Where we are interrupted, or the time
    is over, it is interrupted, once, and waited for. Whoever interrupts us again does not wait: it goes on to its end
    without us, which is why it writes to files, and no pipe of ours. `begun` is told which process it is.
    """
    with _private(out) as stdout, _private(errors_of(out)) as stderr:
        try:
            process = subprocess.Popen(
                args, cwd=cwd, env=_environment(args[0], env), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _cannot_start(args, cwd, error) from error
    try:
        begun(identify(process.pid) or Identity(pid=process.pid, started=""))
        return process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise OutsideError(f"{_spelled(args)} took longer than {timeout:g} s") from error
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def errors_of(out: Path) -> Path:
    """Where `run_gently` has put what the command wrote to standard error."""
    return out.with_name(f"{out.name}.err")


def start_service(
    args: Sequence[str], *, log_path: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Identity:
    """Starts a process that outlives this one: in a session of its own, its output appended to `log_path`.

    Raises OutsideError where the program cannot be started.
    """
    with log_path.open("ab") as log:
        try:
            process = subprocess.Popen(
                args,
                cwd=cwd,
                env=_environment(args[0], env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise _cannot_start(args, cwd, error) from error
    identity = identify(process.pid) or Identity(pid=process.pid, started="")
    # The system shows no command line for a moment after the start, and `find` is to see what was started.
    while is_running(identity) and not _command_line(process.pid):
        time.sleep(0)
    # Somebody has to wait for it while we live, or it would stay as a zombie when it ends.
    threading.Thread(target=process.wait, name=f"wait-{process.pid}", daemon=True).start()
    return identity


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None where there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _identify_by_ps(pid)
    # A zombie whose other threads are still ending keeps its files and ports until they have.
    gone = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return None if gone else Identity(pid=pid, started=fields[19].decode())


def is_running(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def terminate(identity: Identity, *, grace: float) -> bool:
    """Asks the process to end, and kills it where it has not after `grace` seconds; True where that was not needed."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, None)):
        if not is_running(identity):
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)
        if _ended(identity, patience):
            return number == signal.SIGTERM
    return False


def find(*arguments: str) -> tuple[Identity, ...]:
    """This user's processes that have all these arguments on their command line, in the order of their pids."""
    found = (identity for identity, line in _processes() if all(argument in line for argument in arguments))
    return tuple(sorted((one for one in found if one.pid != os.getpid()), key=lambda one: one.pid))


def is_service(identity: Identity) -> bool:
    """Whether the process has a session of its own, as what `start_service` starts has, and its workers have not."""
    try:
        return os.getsid(identity.pid) == identity.pid
    except ProcessLookupError:
        return False


def _private(path: Path) -> BinaryIO:
    """The file, new and empty, for its owner alone."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _ended(identity: Identity, patience: float | None) -> bool:
    deadline = None if patience is None else time.monotonic() + patience
    while is_running(identity):
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _processes() -> Iterator[tuple[Identity, Sequence[str] | str]]:
    """This user's processes with their command lines, as lists or, where the system only gives that, as texts.

    The identity is taken first: should the pid change hands in between, nobody is found under it any more.
    """
    if not Path("/proc/self/cmdline").exists():
        yield from _processes_by_ps()
        return
    for folder in Path("/proc").iterdir():
        # processes end while one looks at them
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and folder.stat().st_uid == os.getuid() and (one := identify(int(folder.name))):
                yield one, _command_line(one.pid)


def _command_line(pid: int) -> list[str]:
    """A process's arguments; empty where it has none (a zombie, or a process that is just being started) or is gone."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return [] if Path("/proc/self/cmdline").exists() else _ps("command=", pid)
    return line.decode(errors="surrogateescape").split("\0") if line else []


def _processes_by_ps() -> Iterator[tuple[Identity, str]]:
    listing = run(["ps", "-axww", "-U", str(os.getuid()), "-o", "pid=,state=,lstart=,command="], check=False).text
    for line in listing.splitlines():
        pid, state, *started, command = line.split(maxsplit=7)
        if not state.startswith("Z"):
            yield Identity(pid=int(pid), started=" ".join(started)), command


def _identify_by_ps(pid: int) -> Identity | None:
    state, *started = _ps("state=,lstart=", pid) or ["Z"]
    return None if state.startswith("Z") else Identity(pid=pid, started=" ".join(started))


def _ps(columns: str, pid: int) -> list[str]:
    return run(["ps", "-o", columns, "-p", str(pid)], check=False).text.split()


def _environment(program: str, more: Mapping[str, str] | None) -> dict[str, str]:
    git = Path(program).name == "git"

    def passes(name: str) -> bool:
        if git and (name.startswith(GIT_ALSO) or name.upper() in GIT_PROXIES):
            return True
        return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)

    return {name: value for name, value in child_environment().items() if passes(name)} | dict(more or {})


def _cannot_start(args: Sequence[str], cwd: Path | None, error: OSError) -> OutsideError:
    if cwd is not None and not cwd.is_dir():
        return OutsideError(f"{_spelled(args)} cannot run: there is no folder {cwd}")
    if isinstance(error, FileNotFoundError):
        return OutsideError(f"there is no program {args[0]}", fix=f"install {args[0]}, or put its folder on PATH")
    return OutsideError(f"{_spelled(args)} cannot be started: {error.strerror}")


def _spelled(args: Sequence[str]) -> str:
    text = URL_CREDENTIALS.sub("://***@", " ".join(args[:6]))
    return f"`{text}{' …' if len(args) > 6 else ''}`"


def _how_it_ended(code: int) -> str:
    return f"failed (exit code {code})" if code > 0 else f"was ended by signal {-code}"


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()[-LAST_LINES:]
    return "".join(f"\n    {URL_CREDENTIALS.sub('://***@', line)}" for line in lines)
