"""What the pipelines of open merge requests have handed over, for a job of main on GitLab or Azure DevOps.

    python3 -I collect.py FOLDER

writes FOLDER/<run>/reports and FOLDER/<run>/candidates for the newest finished run of each open merge request of this
very project, by its number, and on GitLab FOLDER/<run>/checkout, the run's own commit. Those forges start nothing with
rights when a merge request's pipeline ends, so a schedule of main asks. Nothing of what comes is run or believed here:
`mlops-ci publish-report` and `mlops-ci admit` look at it. Standard library alone; what is asked for is plain HTTPS.

GitLab gives CI_API_V4_URL and CI_PROJECT_ID, Azure DevOps SYSTEM_COLLECTIONURI, SYSTEM_TEAMPROJECT and
BUILD_REPOSITORY_ID; MLOPS_GITLAB_TOKEN or MLOPS_AZURE_DEVOPS_TOKEN is who asks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.error import URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

KINDS = ("reports", "candidates")
MOST = 2 << 30  # bytes of one run, packed and unpacked
MOST_FILES = 20_000
PAGES = 20
SECONDS = 120


class CollectError(Exception):
    """What is missing, in the words that the job's log shows."""


_STRANGE = (CollectError, NotImplementedError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Run:
    """A finished run, where its archives are, and the commit that it had where that can be fetched here."""

    number: int
    archives: tuple[str, ...]
    commit: str = ""


class _SameHost(HTTPRedirectHandler):
    """Archives lie on other hosts, which are told by a signed address and have no business with the token."""

    def redirect_request(self, request: Request, *others: Any) -> Request | None:  # type: ignore[override]
        again = super().redirect_request(request, *others)
        if again is not None and urlsplit(again.full_url).netloc != urlsplit(request.full_url).netloc:
            for name in ("Private-token", "Authorization"):
                again.remove_header(name)
        return again


@dataclass(frozen=True)
class Api:
    """The forge's API: addresses below `base`, and the header that says who asks."""

    base: str
    header: tuple[str, str]

    def open(self, path: str) -> BinaryIO:
        address = path if "://" in path else f"{self.base}/{path}"
        if urlsplit(address).scheme != urlsplit(self.base).scheme:
            raise CollectError(f"{address} is no address of {self.base}")
        request = Request(address, headers=dict([self.header]))  # noqa: S310 - the forge's own scheme
        opened: BinaryIO = build_opener(_SameHost()).open(request, timeout=SECONDS)
        return opened

    def json(self, path: str) -> Any:
        with self.open(path) as answer:
            return json.load(answer)


def gitlab_runs(api: Api, project: str) -> Iterator[Run]:
    """Those of branches of the project itself: a fork's pipelines are the fork's."""
    base = f"projects/{quote(project, safe='')}"
    for page in range(1, PAGES + 1):
        asked = urlencode({"state": "opened", "per_page": 100, "page": page})
        found = api.json(f"{base}/merge_requests?{asked}")
        for each in found:
            told = api.json(f"{base}/merge_requests/{int(each['iid'])}")
            run = told.get("head_pipeline") or {}
            if run.get("status") not in ("success", "failed") or told["source_project_id"] != told["target_project_id"]:
                continue
            number = int(run["id"])
            jobs = api.json(f"{base}/pipelines/{number}/jobs?per_page=100")
            archives = [f"{base}/jobs/{int(job['id'])}/artifacts" for job in jobs if job.get("artifacts_file")]
            if archives:
                yield Run(number, tuple(archives), str(run["sha"]))
        if len(found) < 100:
            return


def azure_runs(api: Api, repository: str) -> Iterator[Run]:
    """Those of pull requests that come from no fork."""
    version = "api-version=7.1"
    asked = urlencode({"searchCriteria.status": "active", "$top": 1000})
    pulls = api.json(f"_apis/git/repositories/{quote(repository)}/pullrequests?{asked}&{version}")["value"]
    for pull in pulls:
        if pull.get("forkSource"):
            continue
        asked = urlencode({
            "branchName": f"refs/pull/{int(pull['pullRequestId'])}/merge", "statusFilter": "completed",
            "repositoryId": repository, "repositoryType": "TfsGit", "queryOrder": "queueTimeDescending", "$top": 10,
        })  # fmt: skip
        for build in api.json(f"_apis/build/builds?{asked}&{version}")["value"]:
            number = int(build["id"])
            made = api.json(f"_apis/build/builds/{number}/artifacts?{version}")["value"]
            archives = [one["resource"]["downloadUrl"] for one in made if one["name"].startswith("mlops-ci-")]
            if archives:
                yield Run(number, tuple(archives))
                break


def unpack(archive: BinaryIO, folder: Path) -> None:
    """The files below any folder called `reports` or `candidates`, and nothing else, as plain files below `folder`."""
    with zipfile.ZipFile(archive) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        if len(members) > MOST_FILES or sum(member.file_size for member in members) > MOST:
            raise CollectError("the archive is larger than any that mlops-ci makes")
        for member in members:
            parts = PurePosixPath(member.filename).parts
            start = next((at for at, part in enumerate(parts[:-1]) if part in KINDS), None)
            if start is None:
                continue
            if "\\" in member.filename or parts[0] == "/" or {"..", ".git"} & set(parts):
                raise CollectError(f"the archive names {member.filename!r}")
            path = folder.joinpath(*parts[start:])
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as source, path.open("xb") as target:
                shutil.copyfileobj(source, target)


def collect(api: Api, run: Run, folder: Path) -> None:
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
    for address in run.archives:
        with tempfile.TemporaryFile() as packed, api.open(address) as answer:
            for part in iter(lambda answer=answer: answer.read(1 << 20), b""):  # type: ignore[misc]
                packed.write(part)
                if packed.tell() > MOST:
                    raise CollectError("the archive is larger than any that mlops-ci makes")
            unpack(packed, folder)
    if re.fullmatch(r"[0-9a-f]{40,64}", run.commit):
        _git("fetch", "--quiet", "origin", run.commit)
        _git("worktree", "add", "--quiet", "--detach", str(folder / "checkout"), run.commit)


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], check=False)  # noqa: S607
    if done.returncode:
        raise CollectError(f"git {arguments[0]} fails: see above")


def _runs() -> tuple[Api, Iterator[Run]]:
    get = os.environ.get
    if get("CI_API_V4_URL"):
        api = Api(os.environ["CI_API_V4_URL"].rstrip("/"), ("Private-token", _needed("MLOPS_GITLAB_TOKEN")))
        return api, gitlab_runs(api, _needed("CI_PROJECT_ID"))
    base = f"{_needed('SYSTEM_COLLECTIONURI').rstrip('/')}/{quote(_needed('SYSTEM_TEAMPROJECT'))}"
    api = Api(base, ("Authorization", f"Bearer {_needed('MLOPS_AZURE_DEVOPS_TOKEN')}"))
    return api, azure_runs(api, _needed("BUILD_REPOSITORY_ID"))


def _needed(name: str) -> str:
    if not os.environ.get(name):
        raise CollectError(f"{name} is not set")
    return os.environ[name]


def main(arguments: list[str]) -> int:
    (top,) = map(Path, arguments)
    top.mkdir(parents=True)
    try:
        api, runs = _runs()
        for run in runs:
            folder = top / str(run.number)
            try:
                collect(api, run, folder)
            except _STRANGE as error:  # a merge request's own affair, which keeps no other back
                shutil.rmtree(folder)
                print(f"run {run.number} is left out: {error}", file=sys.stderr)
            else:
                print(f"run {run.number}: {len(run.archives)} archives")
    except (CollectError, KeyError, URLError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
