"""No file of the repository names a package registry's host.

Where packages come from is the business of the machine that installs them: a name in a lock file or a script would
overrule the mirror that somebody has configured there.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# With blanks for dots, so that this file does not name them either.
HOSTS = [
    words.replace(" ", ".")
    for words in (
        *("pypi org", "pythonhosted org", "pypa io", "anaconda org"),
        *("npmjs org", "npmjs com", "yarnpkg com", "jsr io", "unpkg com", "jsdelivr net"),
        *("deb debian org", "security debian org", "snapshot debian org", "ftp debian org"),
        *("archive ubuntu com", "security ubuntu com"),
        *("registry-1 docker io", "index docker io", "auth docker io", "hub docker com"),
        *("crates io", "rubygems org", "proxy golang org", "repo maven apache org"),
    )
]
PATTERN = re.compile(rb"(?<![\w-])(?:" + b"|".join(re.escape(host.encode()) for host in HOSTS) + rb")(?![\w-])", re.I)


def hosts_in(path: Path) -> list[str]:
    """`line: host` of each registry's host in a file, binary or not."""
    content = path.read_bytes()
    hits = [(content.count(b"\n", 0, hit.start()) + 1, hit[0].decode()) for hit in PATTERN.finditer(content)]
    return [f"{line}: {host}" for line, host in hits]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git checkout: nothing says which files belong to the repository")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    paths = [path for path in (ROOT / name for name in listed if name) if path.is_file()]

    findings = [f"{path.relative_to(ROOT)}:{hit}" for path in paths for hit in hosts_in(path)]

    assert len(paths) > 10
    assert not findings, "take the host's name out; the package client knows its registry:\n" + "\n".join(findings)


@pytest.mark.parametrize("host", HOSTS)
def test_a_planted_host_is_found(tmp_path: Path, host: str) -> None:
    planted = tmp_path / "file"
    planted.write_bytes(b"\x00\xff\nhttps://mirror." + host.upper().encode() + b"/simple")

    assert hosts_in(planted) == [f"2: {host.upper()}"]


def test_similar_words_are_no_hosts(tmp_path: Path) -> None:
    innocent = tmp_path / "file"
    innocent.write_text("apt-get install docker.io; import pypi.organisation; www.debian.org; my-pypi.organic")

    assert hosts_in(innocent) == []
