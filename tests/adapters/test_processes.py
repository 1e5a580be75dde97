from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.processes import Identity, find, identify, is_running, run, start_service, terminate
from mlops_ci.errors import OutsideError
from tests.scoring.serving import wait_until

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]
SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[str]:
    """An argument that no other process has; whatever carries it is gone after the test."""
    argument = f"--marker={tmp_path}"
    yield argument
    for identity in find(argument):
        terminate(identity, grace=0)


def test_a_command_runs_to_its_end(tmp_path: Path) -> None:
    program = "import os, sys; data = sys.stdin.read(); print(os.getcwd(), data); sys.stderr.write('héllo')"

    done = run([PYTHON, "-c", program], cwd=tmp_path, input=b"in")

    assert done.code == 0
    assert done.stdout == f"{tmp_path} in\n".encode()
    assert done.text == f"{tmp_path} in"
    assert done.stderr == "héllo"
    assert done.args == (PYTHON, "-c", program)


def test_a_command_without_input_reads_nothing() -> None:
    assert run([PYTHON, "-c", "import sys; print(repr(sys.stdin.read()))"]).text == "''"


def test_a_child_sees_what_it_needs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "MLOPS_STORE", "MY_PASSWORD", "GIT_DIR", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "do not tell")
    monkeypatch.setenv("LC_TIME", "C")
    program = "import os; print(sorted(os.environ.items()))"

    seen = dict(eval(run([PYTHON, "-c", program], env={"EXTRA": "1"}).text))  # noqa: S307 - our own repr

    assert "do not tell" not in seen.values()
    assert seen["EXTRA"] == "1"
    assert seen["LC_TIME"] == "C"
    assert seen["PATH"] == os.environ["PATH"]
    assert seen["HOME"] == os.environ["HOME"]


def test_git_alone_sees_what_it_authenticates_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GIT_CONFIG_COUNT", "SSH_AUTH_SOCK", "https_proxy", "GIT_DIR", "GIT_INDEX_FILE", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "given")
    for name in ("git", "other"):
        (tmp_path / name).write_text("#!/bin/sh\nenv\n")
        (tmp_path / name).chmod(0o755)

    def given(name: str) -> set[str]:
        lines = run([str(tmp_path / name)]).text.splitlines()
        return {line.partition("=")[0] for line in lines if line.endswith("=given")}

    assert given("git") == {"GIT_CONFIG_COUNT", "SSH_AUTH_SOCK", "https_proxy"}
    assert given("other") == set()


def test_a_failure_carries_the_last_words() -> None:
    program = "import sys; sys.stderr.write('\\n'.join(map(str, range(100)))); sys.exit(7)"

    with pytest.raises(OutsideError) as caught:
        run([PYTHON, "-c", program])

    assert "failed (exit code 7)" in str(caught.value)
    assert str(caught.value).split()[-3:] == ["97", "98", "99"]
    assert "\n    91\n" not in str(caught.value)
    assert run([PYTHON, "-c", program], check=False).code == 7


def test_an_end_by_signal_is_called_so() -> None:
    with pytest.raises(OutsideError, match="was ended by signal 9"):
        run([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"])


def test_credentials_in_addresses_are_not_repeated() -> None:
    program = "import sys; sys.exit('no access to https://bot:s3cret@host/x')"

    with pytest.raises(OutsideError) as caught:
        run([PYTHON, "-c", program, "https://bot:s3cret@host/x"])

    assert "s3cret" not in str(caught.value)
    assert str(caught.value).count("https://***@host/x") == 3


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="there is no program no-such-program") as caught:
        run(["no-such-program", "--version"], check=False)
    assert "install no-such-program" in caught.value.fix

    with pytest.raises(OutsideError, match="there is no program no-such-program"):
        start_service(["no-such-program"], log_path=tmp_path / "log")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="there is no folder"):
        run([PYTHON, "-V"], cwd=tmp_path / "missing")


def test_a_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("data")

    with pytest.raises(OutsideError, match="data` cannot be started: Permission denied"):
        run([str(tmp_path / "data")])


def test_a_command_that_takes_too_long_is_ended(marker: str) -> None:
    with pytest.raises(OutsideError, match="took longer than"):
        run([PYTHON, "-c", SLEEP, marker], timeout=0.2)

    assert find(marker) == ()


def test_a_service_outlives_the_command_that_started_it(tmp_path: Path, marker: str) -> None:
    program = """
import sys
from pathlib import Path
from mlops_ci.adapters.processes import start_service
print(start_service(sys.argv[2:], log_path=Path(sys.argv[1])).pid)
"""
    service_args = [PYTHON, "-c", f"print('up', flush=True); {SLEEP}", marker]
    starter = [PYTHON, "-c", program, str(tmp_path / "log"), *service_args]
    done = subprocess.run(starter, cwd=ROOT, capture_output=True, text=True, check=True)

    (service,) = find(marker)

    assert service.pid == int(done.stdout)
    assert is_running(service)
    assert os.getsid(service.pid) == service.pid
    wait_until(lambda: (tmp_path / "log").read_text() == "up\n")


def test_the_output_of_a_service_is_appended(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")

    service = start_service([PYTHON, "-c", "import sys; print('out'); sys.exit('err')"], log_path=tmp_path / "log")

    wait_until(lambda: not is_running(service))
    assert (tmp_path / "log").read_text() == "before\nerr\nout\n"


def test_a_process_is_not_taken_for_a_later_one_of_the_same_pid(tmp_path: Path, marker: str) -> None:
    service = start_service([PYTHON, "-c", SLEEP, marker], log_path=tmp_path / "log")
    earlier = Identity(pid=service.pid, started="1")

    assert not is_running(earlier)
    assert terminate(earlier, grace=0)
    assert is_running(service)


def test_a_process_that_has_ended_is_no_longer_found(tmp_path: Path, marker: str) -> None:
    service = start_service([PYTHON, "-c", SLEEP, marker], log_path=tmp_path / "log")
    assert find(marker) == (service,)

    os.kill(service.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(service))

    assert find(marker) == ()
    assert terminate(service, grace=0)
    wait_until(lambda: not Path(f"/proc/{service.pid}").exists())  # nor does it stay as a zombie


def test_a_zombie_is_not_running(marker: str) -> None:
    child = subprocess.Popen([PYTHON, "-c", SLEEP, marker])
    identity = identify(child.pid)
    assert identity is not None
    try:
        child.kill()
        wait_until(lambda: not is_running(identity))
        assert identify(child.pid) is None
    finally:
        child.wait()


def test_a_process_is_asked_first_and_killed_then(tmp_path: Path, marker: str) -> None:
    polite = start_service([PYTHON, "-c", SLEEP, marker], log_path=tmp_path / "polite")
    assert terminate(polite, grace=60)
    assert not is_running(polite)

    deaf = start_service([PYTHON, "-c", STUBBORN, marker], log_path=tmp_path / "deaf")
    wait_until((tmp_path / "deaf").read_text)
    assert not terminate(deaf, grace=0.1)
    assert not is_running(deaf)


def test_a_process_is_found_by_whole_arguments(tmp_path: Path, marker: str) -> None:
    service = start_service([PYTHON, "-c", SLEEP, marker, "--other"], log_path=tmp_path / "log")

    assert find(marker) == (service,)
    assert find("--other", marker) == (service,)
    assert find(marker[:-1]) == ()
    assert find(marker, "--another") == ()


def test_systems_without_proc_are_served_by_ps(tmp_path: Path, marker: str) -> None:
    service = start_service([PYTHON, "-c", SLEEP, marker], log_path=tmp_path / "log")

    by_ps = [identity for identity, line in processes._processes_by_ps() if marker in line]

    assert [identity.pid for identity in by_ps] == [service.pid]
    assert processes._identify_by_ps(service.pid) == by_ps[0]
    assert time.strptime(by_ps[0].started, "%a %b %d %H:%M:%S %Y")
    terminate(service, grace=60)
    assert processes._identify_by_ps(service.pid) is None
