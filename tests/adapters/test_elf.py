"""Real programs and libraries of this machine are read, and still work without their symbols."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlops_ci.adapters.elf import read_program, without_symbols

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ELF files are programs of Linux")
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")


def library(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def test_the_running_python_is_for_this_machine() -> None:
    program = read_program(Path(sys.executable).resolve().read_bytes())

    assert program is not None
    assert program.machine == MACHINE
    assert Path(program.interpreter).exists()


def test_a_library_has_no_loader() -> None:
    program = read_program(library("uvloop.loop").read_bytes())

    assert program is not None
    assert (program.machine, program.interpreter) == (MACHINE, "")


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100), b"MZ" * 100])
def test_anything_else_is_nothing_and_stays_as_it_is(data: bytes) -> None:
    assert read_program(data) is None
    assert without_symbols(data) == data


@pytest.mark.parametrize("cut", [64, 70, 200, 1000])
def test_a_library_that_is_cut_off_is_no_crash(cut: int) -> None:
    data = library("uvloop.loop").read_bytes()[:cut]

    read_program(data)
    assert without_symbols(data) == data


def test_a_library_works_without_its_symbols_and_is_much_smaller(tmp_path: Path) -> None:
    whole = library("uvloop.loop")
    package = tmp_path / "uvloop"
    shutil.copytree(whole.parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    stripped = without_symbols(whole.read_bytes())
    (package / whole.name).write_bytes(stripped)
    script = "import uvloop, asyncio; print(uvloop.__file__, uvloop.run(asyncio.sleep(0, 'ran')))"

    said = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert said.stdout.split() == [str(package / "__init__.py"), "ran"]
    assert len(stripped) < len(whole.read_bytes()) / 2
    assert without_symbols(stripped) == stripped
