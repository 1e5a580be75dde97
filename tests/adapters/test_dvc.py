"""Pointers, caches and remotes laid out as DVC 3.67 lays them out (and versions before 3, where that is said)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.data_files import LocalDataFiles
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import DataGateError
from tests import s3

FIRST, SECOND = b"x,y\n1,2\n", b"x,y\n3,4\n"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def key(digest: str, *, legacy: bool = False) -> str:
    return f"{'' if legacy else 'files/md5/'}{digest[:2]}/{digest[2:]}"


class Team:
    """A DVC repository with a file `data/one.csv` and a folder `data/many`."""

    def __init__(self, root: Path, *, legacy: bool = False) -> None:
        self.root, self.legacy = root, legacy
        self.write(".dvc/config", b"")
        self.objects = {md5(FIRST): FIRST, md5(SECOND): SECOND}
        files = {"a.csv": FIRST, "deeper/b.csv": SECOND, "README.md": b"hello\n"}
        listing = json.dumps([{"md5": md5(files[name]), "relpath": name} for name in sorted(files)]).encode()
        self.objects |= {md5(b"hello\n"): b"hello\n", f"{md5(listing)}.dir": listing}
        kind = "" if legacy else "  hash: md5\n"
        self.write("data/one.csv.dvc", f"outs:\n- md5: {md5(FIRST)}\n  size: 8\n{kind}  path: one.csv\n".encode())
        self.write("data/many.dvc", f"outs:\n- md5: {md5(listing)}.dir\n  nfiles: 3\n{kind}  path: many\n".encode())
        self.files = files

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def check_out(self) -> None:
        self.write("data/one.csv", FIRST)
        for name, content in self.files.items():
            self.write(f"data/many/{name}", content)

    def keep(self, folder: str) -> None:
        for digest, content in self.objects.items():
            self.write(f"{folder}/{key(digest, legacy=self.legacy)}", content)

    def read(self, options: dict[str, str] | None = None) -> tuple[list[int], list[int], list[str]]:
        """The values of the file, those of the folder, and the names under which they are known."""
        files = LocalDataFiles(options)
        one, many = (files.read(f"data/{name}.dvc", self.root) for name in ("one.csv", "many"))
        names = [*files.digests("data/one.csv.dvc", self.root), *files.digests("data/many.dvc", self.root)]
        return one["x"].tolist(), many["x"].tolist(), names


EVERYTHING = ([1], [1, 3], ["data/one.csv", "data/many/a.csv", "data/many/deeper/b.csv"])
REMOTE = "['remote \"nas\"']\n    url = "
DEFAULT = "[core]\n    remote = nas\n"
PLACES: dict[str, tuple[str, str, str]] = {
    "cache": (".dvc/cache", "", ""),
    "cache elsewhere": ("../shared", "[cache]\n    dir = ../../shared\n", ""),
    "remote": ("../nas", f"{DEFAULT}{REMOTE}../../nas\n", ""),
    "remote of this machine": ("../nas", DEFAULT, f"{REMOTE}../../nas\n"),
}
"""Where the objects are, and what DVC's `config` and `config.local` say of it."""


@pytest.mark.parametrize(("folder", "config", "local"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("legacy", [False, True], ids=["3", "before"])
def test_data_are_the_same_wherever_dvc_has_them(
    tmp_path: Path, folder: str, config: str, local: str, legacy: bool
) -> None:
    team = Team(tmp_path / "team", legacy=legacy)
    team.write(".dvc/config", config.encode())
    team.write(".dvc/config.local", local.encode())
    team.keep(folder)
    assert team.read() == EVERYTHING


@pytest.mark.parametrize("legacy", [False, True], ids=["3", "before"])
def test_the_work_tree_is_enough(tmp_path: Path, legacy: bool) -> None:
    team = Team(tmp_path / "team", legacy=legacy)
    team.check_out()
    shutil.rmtree(tmp_path / "team/.dvc")
    assert team.read() == EVERYTHING


def test_a_folder_of_the_work_tree_that_is_partly_there_is_completed_from_the_cache(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.check_out()
    team.keep(".dvc/cache")
    (tmp_path / "team/data/many/a.csv").unlink()
    assert team.read() == EVERYTHING


@pytest.fixture(scope="module")
def server() -> Iterator[s3.S3Server]:
    with s3.serve() as running:
        yield running


def test_a_remote_in_a_bucket_with_the_settings_that_dvc_has(tmp_path: Path, server: s3.S3Server) -> None:
    team, url = Team(tmp_path / "team"), server.new_bucket()
    store = open_store(f"{url}/dvc", options=server.options)
    for digest, content in team.objects.items():
        store.create(key(digest), content)
    team.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {url}/dvc\n".encode())
    secret = "".join(
        f"    {name} = {value}\n"
        for name, value in {
            "endpointurl": server.endpoint,
            "region": "us-east-1",
            "access_key_id": s3.KEY_ID,
            "secret_access_key": s3.SECRET,
        }.items()
    )
    team.write(".dvc/config.local", f"['remote \"s\"']\n{secret}".encode())
    assert team.read() == EVERYTHING
    (tmp_path / "team/.dvc/config.local").unlink()
    assert team.read(server.options) == EVERYTHING


def refused(team: Team, name: str = "data/one.csv.dvc") -> str:
    with pytest.raises(DataGateError) as raised:
        LocalDataFiles().read(name, team.root)
    assert raised.value.where == name
    return f"{raised.value.what} | {raised.value.fix}"


def test_a_file_that_was_changed_without_telling_dvc(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.check_out()
    team.keep(".dvc/cache")
    team.write("data/one.csv", SECOND)
    team.write("data/many/a.csv", SECOND)
    assert refused(team).startswith("one.csv is not the file that the pointer names (MD5) | dvc pull data/one.csv.dvc")
    assert refused(team, "data/many.dvc").startswith("a.csv is not the file that the pointer names (MD5)")


@pytest.mark.parametrize("name", ["data/one.csv.dvc", "data/many.dvc"])
def test_an_object_that_is_not_what_its_name_says_is_never_used(tmp_path: Path, name: str) -> None:
    team = Team(tmp_path / "team")
    team.objects = dict.fromkeys(team.objects, b"spoilt")
    team.keep(".dvc/cache")
    assert "holds other bytes than the pointer names (MD5)" in refused(team, name)


def test_data_that_are_nowhere(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    assert refused(team).startswith(
        "points to one.csv, which is not here, and neither in DVC's cache nor in its remote"
    )
    shutil.rmtree(tmp_path / "team/.dvc")
    assert "is not here" in refused(team)


@pytest.mark.parametrize("config", [b"[core]\nremote = nas\n", b"[core]\nremote = nas\n['remote \"nas\"']\nx = 1\n"])
def test_a_remote_that_has_no_place(tmp_path: Path, config: bytes) -> None:
    team = Team(tmp_path / "team")
    team.write(".dvc/config", config)
    assert "is not here" in refused(team)


def test_a_kind_of_remote_that_we_cannot_read_is_named(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.write(".dvc/config", b"[core]\nremote = r\n['remote \"r\"']\nurl = ssh://host/path\npassword = hunter2\n")
    said = refused(team)
    assert "DVC's remote is of the kind ssh://" in said
    assert "hunter2" not in said


def test_settings_that_are_none(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.write(".dvc/config", b"password = hunter2\n")
    with pytest.raises(DataGateError) as raised:
        LocalDataFiles().read("data/one.csv.dvc", team.root)
    assert (raised.value.where, "hunter2" in str(raised.value)) == (str(team.root / ".dvc/config"), False)


@pytest.mark.parametrize("path", ["../outside.csv", "/etc/outside.csv"])
def test_a_folder_s_list_cannot_lead_out_of_it(tmp_path: Path, path: str) -> None:
    team = Team(tmp_path / "team")
    listing = json.dumps([{"md5": md5(FIRST), "relpath": path}]).encode()
    team.objects = {f"{md5(listing)}.dir": listing, md5(FIRST): FIRST}
    team.keep(".dvc/cache")
    team.write("data/many.dvc", f"outs:\n- md5: {md5(listing)}.dir\n  hash: md5\n  path: many\n".encode())
    assert "lists a file that cannot be in the folder" in refused(team, "data/many.dvc")


def test_a_digest_that_looks_like_a_number(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.write("data/one.csv.dvc", b"outs:\n- md5: 12345678901234567890123456789012\n  hash: md5\n  path: one.csv\n")
    team.write("data/one.csv", FIRST)
    assert "is not the file that the pointer names" in refused(team)


def test_a_pointer_that_stands_elsewhere_than_its_data(tmp_path: Path) -> None:
    team = Team(tmp_path / "team")
    team.write("one.dvc", f"wdir: data\nouts:\n- md5: {md5(FIRST)}\n  hash: md5\n  path: one.csv\n".encode())
    team.check_out()
    assert list(LocalDataFiles().digests("one.dvc", team.root)) == ["data/one.csv"]


def test_where_the_checkout_is_not_trusted_it_does_not_say_who_gets_our_credentials(
    tmp_path: Path, server: s3.S3Server
) -> None:
    """Its `.dvc/config` names a server, which would get requests that are signed with them, and the session's token."""
    team, url = Team(tmp_path / "team"), server.new_bucket()
    store = open_store(f"{url}/dvc", options=server.options)
    for digest, content in team.objects.items():
        store.create(key(digest), content)

    def remote(endpoint: str) -> None:
        settings = f"    url = {url}/dvc\n    endpointurl = {endpoint}\n"
        team.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n{settings}".encode())

    careful = LocalDataFiles(server.options, own_endpoints=False)
    remote("http://127.0.0.1:9")
    with pytest.raises(DataGateError, match="not asked with this job's credentials"):
        careful.digests("data/one.csv.dvc", team.root)
    # the same server that whoever gives the credentials has named
    remote(server.endpoint)
    assert list(careful.digests("data/one.csv.dvc", team.root)) == ["data/one.csv"]
