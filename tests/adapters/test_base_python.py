"""A base image is judged by its files alone, and one that cannot do is refused with the reason."""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Mapping
from typing import Any

import pytest

from mlops_ci.adapters.base_python import BasePython, find_python
from mlops_ci.errors import ConfigurationError

STATUS = b"""Package: libc6
Status: install ok installed
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1

Package: python3.11-minimal
Status: install ok installed
Version: 3.11.2-6+deb12u6
"""


def program(machine: int = 62, loader: str = "/lib64/ld-linux-x86-64.so.2") -> bytes:
    """The headers of a program with one segment, which names its loader."""
    text = loader.encode() + b"\0"
    header = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    )
    return header + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(text), len(text), 1) + text


class Files:
    """Files and links (text) of an image."""

    def __init__(self, files: Mapping[str, bytes | str]) -> None:
        self.files = files

    def resolve(self, path: str) -> str | None:
        for link, target in self.files.items():
            if isinstance(target, str) and (path == link or path.startswith(f"{link}/")):
                return self.resolve(posixpath.join(posixpath.dirname(link), target) + path[len(link) :])
        return path if path in self.files else None

    def read(self, path: str) -> bytes | None:
        place = self.resolve(path)
        found = self.files[place] if place else None
        return found if isinstance(found, bytes) else None

    def folder(self, path: str) -> Mapping[str, bytes]:
        return {
            posixpath.basename(name): data
            for name, data in self.files.items()
            if posixpath.dirname(name) == path and isinstance(data, bytes)
        }


SLIM: dict[str, bytes | str] = {
    "/usr/local/bin/python3": "python3.11",
    "/usr/local/bin/python3.11": program(),
    "/usr/local/lib/python3.11/asyncio/__init__.py": b"",
    "/lib64/ld-linux-x86-64.so.2": "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": b"",
    "/lib/x86_64-linux-gnu/libc.so.6": b"\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\0",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6": b"",
    "/var/lib/dpkg/status": STATUS,
}
CONFIGURATION = {"Env": ["PATH=/usr/local/bin:/usr/bin", "PYTHON_VERSION=3.11.9"]}


def judged(files: Mapping[str, bytes | str], configuration: Mapping[str, Any] = CONFIGURATION) -> BasePython:
    return find_python(Files(files), configuration, name="some:base", architecture="amd64")


def without(name: str) -> dict[str, bytes | str]:
    return {path: data for path, data in SLIM.items() if path != name}


def test_the_python_on_the_path_behind_all_links() -> None:
    found = judged(SLIM)

    assert (found.path, found.version) == ("/usr/local/bin/python3.11", "3.11")
    assert [(one.name, one.version, one.kind) for one in found.packages] == [
        ("python", "3.11.9", "generic"),
        ("libc6", "2.36-9", "deb"),
        ("python3.11-minimal", "3.11.2-6+deb12u6", "deb"),
    ]


def test_debians_own_python_in_an_image_that_says_nothing() -> None:
    moved = {path.replace("/usr/local/", "/usr/"): data for path, data in SLIM.items()}

    found = judged(moved, {"Env": None})

    assert (found.path, found.packages[0].version) == ("/usr/bin/python3.11", "3.11.2")


def test_an_image_without_dpkg_has_a_file_a_package() -> None:
    files = without("/var/lib/dpkg/status") | {"/var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2.36\n"}

    assert [one.name for one in judged(files).packages] == ["python", "libc6"]
    assert [one.name for one in judged(without("/var/lib/dpkg/status")).packages] == ["python"]


PYTHON = "/usr/local/bin/python3.11"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "has no Python 3"),
        ({"/usr/bin/python3": b"not a name with a version"}, "has no Python 3"),
        ({"/usr/bin/python3": "python3.10", "/usr/bin/python3.10": program()}, "has Python 3.10"),
        ({"/usr/bin/python3": "python3.13t", "/usr/bin/python3.13t": program()}, "has Python 3.13t"),
        (SLIM | {PYTHON: program(loader="/lib/ld-musl-x86_64.so.1")}, "has musl"),
        (SLIM | {PYTHON: program(machine=183)}, "says that it is for amd64, and its Python is for arm64"),
        (SLIM | {PYTHON: b"#!/bin/sh\nexec true\n"}, "its Python is for something else"),
        (SLIM | {PYTHON: program()[:90]}, "loader is not there"),
        (SLIM | {LIBC: b"GNU C Library (GNU libc) stable release version 2.17,"}, "has glibc 2.17, .* need 2.28"),
        (SLIM | {LIBC: b"nothing of that kind"}, "has no glibc"),
        (without("/usr/lib/x86_64-linux-gnu/libstdc++.so.6"), r"has no libstdc\+\+"),
        (without("/usr/local/lib/python3.11/asyncio/__init__.py"), "without its standard library"),
    ],
)
def test_a_base_that_cannot_do_is_refused_with_the_reason(files: dict[str, bytes | str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as raised:
        judged(files)

    assert "some:base" in raised.value.what
    assert raised.value.where == "image.base"
    assert raised.value.fix
