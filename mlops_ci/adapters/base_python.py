"""Finds the Python of a base image and judges whether the scoring service can run on it, without running it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mlops_ci.adapters.elf import Program, read_program
from mlops_ci.adapters.wheelhouse import GLIBC
from mlops_ci.core.image import Package
from mlops_ci.errors import ConfigurationError

VERSIONS = ("3.13", "3.12", "3.11")
FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/venv/bin")
FIX = "set image.base to an image with CPython 3.11, 3.12 or 3.13 and glibc, such as python:3.11-slim"
INTERPRETER = re.compile(r"python(3\.\d+)(t?)$")
GLIBC_SAYS = re.compile(rb"GNU C Library [^\n]*release version (\d+)\.(\d+)")


class Files(Protocol):
    """What `image_files.ImageFiles` offers."""

    def resolve(self, path: str) -> str | None: ...
    def read(self, path: str) -> bytes | None: ...
    def folder(self, path: str) -> Mapping[str, bytes]: ...


@dataclass(frozen=True, kw_only=True)
class BasePython:
    """`path` is the interpreter's own, behind all links; `version` such as `3.11`."""

    path: str
    version: str
    packages: tuple[Package, ...]


def find_python(files: Files, configuration: Mapping[str, Any], *, name: str, architecture: str) -> BasePython:
    """The Python that the image's PATH leads to. Raises ConfigurationError saying why the service cannot run on it."""
    environment = dict(line.partition("=")[::2] for line in configuration.get("Env") or ())
    path = _interpreter(files, environment.get("PATH", ""))
    if path is None:
        raise _refused(name, "has no Python 3")
    version, free_threaded = INTERPRETER.search(path).groups()  # type: ignore[union-attr]
    if version not in VERSIONS or free_threaded:
        raise _refused(name, f"has Python {version}{free_threaded}, for which there are no wheels here")
    program = read_program(files.read(path) or b"")
    if program is None or program.machine != architecture:
        found = program.machine if program and program.machine else "something else"
        raise _refused(name, f"says that it is for {architecture}, and its Python is for {found}")
    _require_libraries(files, program, name)
    prefix = posixpath.dirname(posixpath.dirname(path))
    if not any(files.resolve(f"{prefix}/{lib}/python{version}/asyncio/__init__.py") for lib in ("lib", "lib64")):
        raise _refused(
            name, f"has a Python {version} without its standard library", fix=f"install libpython{version}-stdlib"
        )
    debs = _debian_packages(files)
    full = _full_version(environment, version, path, debs)
    interpreter = Package(name="python", version=full, kind="generic", licence="PSF-2.0")
    return BasePython(path=path, version=version, packages=(interpreter, *debs))


def _interpreter(files: Files, search: str) -> str | None:
    folders = [*(folder for folder in search.split(":") if folder.startswith("/")), *FOLDERS]
    names = ["python3", "python", *(f"python{version}" for version in VERSIONS)]
    for folder in dict.fromkeys(folders):
        for name in names:
            path = files.resolve(f"{folder}/{name}")
            if path and INTERPRETER.search(path):
                return path
    return None


def _require_libraries(files: Files, program: Program, name: str) -> None:
    """Wheels for glibc need glibc, one that is new enough, and the C++ library, which no wheel brings."""
    if "musl" in program.interpreter:
        raise _refused(name, "has musl instead of glibc (as Alpine has), and onnxruntime has no wheels for it")
    loader = files.resolve(program.interpreter) if program.interpreter else None
    if loader is None:
        raise _refused(name, "has a Python whose loader is not there")
    folder = posixpath.dirname(loader)
    says = GLIBC_SAYS.search(files.read(f"{folder}/libc.so.6") or b"")
    if says is None:
        raise _refused(name, "has no glibc beside its loader")
    version = (int(says[1]), int(says[2]))
    if version < GLIBC:
        needed = ".".join(map(str, GLIBC))
        raise _refused(name, f"has glibc {version[0]}.{version[1]}, and the wheels need {needed} or newer")
    places = (folder, f"/usr{folder}", "/usr/lib64", "/usr/lib", "/usr/local/lib")
    if not any(files.resolve(f"{place}/libstdc++.so.6") for place in places):
        raise _refused(name, "has no libstdc++.so.6, which onnxruntime needs", fix="install libstdc++6 in it")


def _debian_packages(files: Files) -> tuple[Package, ...]:
    """What dpkg has installed; small images without dpkg have one file a package."""
    status = files.read("/var/lib/dpkg/status")
    texts = [status] if status else [text for _, text in sorted(files.folder("/var/lib/dpkg/status.d").items())]
    found = {package for text in texts for package in _installed(text.decode(errors="replace"))}
    return tuple(sorted(found, key=lambda package: (package.name, package.version)))


def _installed(text: str) -> Iterator[Package]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+): *(.*)$", paragraph))
        status = fields.get("Status", "install ok installed")
        if fields.get("Package") and fields.get("Version") and status.split()[-1:] == ["installed"]:
            yield Package(name=fields["Package"], version=fields["Version"], kind="deb")


def _full_version(environment: Mapping[str, str], version: str, path: str, debs: tuple[Package, ...]) -> str:
    """As the official images say it in their environment, as Debian's package does, else without its last part."""
    said = environment.get("PYTHON_VERSION", "")
    if said.startswith(f"{version}.") and not path.startswith("/usr/bin/"):
        return said
    package = next((deb.version for deb in debs if deb.name == f"python{version}-minimal"), "")
    found = re.match(r"\d+\.\d+\.\d+", package)
    return found[0] if found and path.startswith("/usr/bin/") else version


def _refused(name: str, why: str, *, fix: str = FIX) -> ConfigurationError:
    return ConfigurationError(f"the base image {name} {why}", where="image.base", fix=fix)
