"""What `collect.py` brings from the pipelines of open merge requests: a real server, a real repository."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.world import ROOT, commit

PROGRAM = ROOT / "actions/publish-report/collect.py"


def archive(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return stream.getvalue()


class Forge:
    """Answers what it was given, to whoever has the token; another host for archives asks for none and tells it."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.seen: list[tuple[str, str]] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                own = self.server is forge.server
                token = self.headers.get("Private-Token") or self.headers.get("Authorization") or ""
                forge.seen.append((("" if own else "elsewhere") + path, token))
                answer = forge.answers.get(path)
                if own and token not in ("t0ken", "Bearer t0ken"):
                    self.send_error(401)
                elif answer is None:
                    self.send_error(404)
                elif isinstance(answer, str):
                    self.send_response(302)
                    self.send_header("Location", answer)
                    self.end_headers()
                else:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server, self.other = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
        for server in (self.server, self.other):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def elsewhere(self) -> str:
        return f"http://127.0.0.1:{self.other.server_port}"


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    yield forge
    for server in (forge.server, forge.other):
        server.shutdown()
        server.server_close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "train.py").write_text("1\n")
    commit(origin)
    subprocess.run(["git", "clone", "-q", str(origin), str(tmp_path / "checkout")], check=True)
    return tmp_path / "checkout"


def collect(checkout: Path, **variables: str) -> tuple[int, dict[str, str], str]:
    runs = checkout.parent / "runs"
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), str(runs)], cwd=checkout, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], **variables},
    )  # fmt: skip
    found = {
        path.relative_to(runs).as_posix(): path.read_text()
        for path in runs.rglob("*")
        if path.is_file() and path.name != ".git"
    }
    return done.returncode, found, done.stdout + done.stderr


def merge_request(forge: Forge, iid: int, run: int, files: bytes, **more: Any) -> None:
    base, head = "/api/v4/projects/5", more.pop("sha", "0" * 40)
    forge.answers.setdefault(f"{base}/merge_requests", []).append({"iid": iid})
    told = {"source_project_id": 5, "target_project_id": 5, "title": "$(touch owned)", **more}
    forge.answers[f"{base}/merge_requests/{iid}"] = told | {
        "head_pipeline": {"id": run, "status": "failed", "sha": head}
    }
    forge.answers[f"{base}/pipelines/{run}/jobs"] = [{"id": run * 10, "artifacts_file": {"size": 1}}, {"id": 1}]
    forge.answers[f"{base}/jobs/{run * 10}/artifacts"] = files


def test_gitlab_reports_candidates_and_the_commit_of_each_open_merge_request(forge: Forge, checkout: Path) -> None:
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=checkout.parent / "origin", text=True).strip()
    good = archive(**{".mlops/reports/tides.json": "{}", ".mlops/candidates/a/b": "x", ".mlops/store/secret": "no"})
    merge_request(forge, 1, 71, good, sha=head)
    merge_request(forge, 2, 72, good, sha=head, source_project_id=6)  # a fork's
    merge_request(forge, 3, 73, archive(**{"reports/../../../owned": "x"}), sha=head)
    merge_request(forge, 4, 74, b"no archive at all", sha=head)
    merge_request(forge, 5, 75, good, sha="--upload-pack=touch owned")
    merge_request(forge, 6, 76, good, sha="f" * 40)  # nobody has it any more
    forge.answers["/archive"] = good
    forge.answers["/api/v4/projects/5/jobs/710/artifacts"] = f"{forge.elsewhere}/archive"

    code, found, said = collect(
        checkout, CI_API_V4_URL=f"{forge.url}/api/v4", CI_PROJECT_ID="5", MLOPS_GITLAB_TOKEN="t0ken"
    )

    assert code == 0, said
    assert {name for name in found if name.startswith("71/")} == {
        "71/reports/tides.json", "71/candidates/a/b", "71/checkout/train.py",
    }  # fmt: skip
    assert {name.partition("/")[0] for name in found} == {"71", "75"}
    assert "75/checkout/train.py" not in found
    assert [f"run {run} is left out" in said for run in (73, 74, 76)] == [True] * 3
    assert ("elsewhere/archive", "") in forge.seen, "the token is not for other hosts"
    assert "t0ken" not in said
    assert not list(checkout.parent.rglob("owned"))


def test_azure_devops_the_newest_build_that_has_handed_something_over(forge: Forge, checkout: Path) -> None:
    base = "/acme/Models/_apis"
    forge.answers = {
        f"{base}/git/repositories/r1/pullrequests": {
            "value": [{"pullRequestId": 4}, {"pullRequestId": 5, "forkSource": {"name": "x"}}]
        },
        f"{base}/build/builds": {"value": [{"id": 91}, {"id": 90}]},
        f"{base}/build/builds/91/artifacts": {"value": []},
        f"{base}/build/builds/90/artifacts": {
            "value": [
                {"name": "mlops-ci-1", "resource": {"downloadUrl": f"{forge.url}/archive"}},
                {"name": "other", "resource": {"downloadUrl": f"{forge.url}/other"}},
            ]
        },
        "/archive": archive(**{"mlops-ci-1/reports/tides.json": "{}", "mlops-ci-1/candidates/a": "x"}),
    }
    code, found, said = collect(
        checkout, SYSTEM_COLLECTIONURI=f"{forge.url}/acme/", SYSTEM_TEAMPROJECT="Models", BUILD_REPOSITORY_ID="r1",
        MLOPS_AZURE_DEVOPS_TOKEN="t0ken",
    )  # fmt: skip
    assert code == 0, said
    assert found == {"90/reports/tides.json": "{}", "90/candidates/a": "x"}


@pytest.mark.parametrize("variables", [{}, {"CI_API_V4_URL": "URL/api/v4", "CI_PROJECT_ID": "5"}])
def test_without_who_asks_it_says_what_is_not_set(forge: Forge, checkout: Path, variables: dict[str, str]) -> None:
    given = {name: value.replace("URL", forge.url) for name, value in variables.items()}
    code, found, said = collect(checkout, **given)
    assert (code, found, "is not set" in said) == (2, {}, True)


def test_an_api_that_refuses_is_an_error_and_no_empty_answer(forge: Forge, checkout: Path) -> None:
    given = {"CI_API_V4_URL": f"{forge.url}/api/v4", "CI_PROJECT_ID": "5", "MLOPS_GITLAB_TOKEN": "another"}
    code, found, said = collect(checkout, **given)
    assert (code, found, "401" in said) == (2, {}, True)
