"""What of a wheel goes into a scoring image: what may run there, and what says what it is and under which licence."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from pathlib import Path, PurePosixPath

from mlops_ci.adapters import elf
from mlops_ci.core.image import Package
from mlops_ci.errors import IntegrityError

NEVER_RUNS = (
    *("numpy/_pyinstaller/", "numpy/conftest.py", "numpy/distutils/", "numpy/doc/", "numpy/f2py/", "numpy/testing/"),
    *("numpy/_core/_multiarray_tests.", "numpy/_core/_simd.", "numpy/_core/_umath_tests."),
    *("onnxruntime/backend/", "onnxruntime/datasets/", "onnxruntime/quantization/", "onnxruntime/tools/"),
    "onnxruntime/transformers/",
    # for programs in C: Python's module has the same inside
    "onnxruntime/capi/libonnxruntime.so",
)
"""How the names of files begin that nothing of the service uses. tests/docker proves that it works without."""
TEST_FOLDERS = frozenset({"test", "tests"})
SOURCES = frozenset({".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"})
LICENCE = re.compile(r"(?i)^(licen[cs]e|copying|notice|authors)")
LIBRARIES = frozenset({"purelib", "platlib"})
LONGEST_LICENCE = 80


def contents(wheel: Path) -> Mapping[str, bytes]:
    """The files by name, relative to where packages are. Raises IntegrityError for what is no wheel."""
    files = {}
    try:
        with zipfile.ZipFile(wheel) as opened:
            for entry in opened.infolist():
                name = _place(entry.filename)
                if name and not entry.is_dir() and _belongs(PurePosixPath(name)):
                    files[name] = elf.without_symbols(opened.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise IntegrityError(f"not a wheel that can be unpacked: {error}", where=wheel.name) from error
    return files


def package_of(files: Mapping[str, bytes], *, digest: str) -> Package:
    """What the wheel's metadata say of it."""
    name = next((name for name in files if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), None)
    if name is None:
        raise IntegrityError(f"the wheel {digest[:12]} has no METADATA")
    fields = BytesHeaderParser().parsebytes(files[name])
    classifiers = [str(each) for each in fields.get_all("Classifier", []) if str(each).startswith("License ::")]
    written = str(fields.get("License-Expression") or fields.get("License") or "").strip()
    if not written or "\n" in written or len(written) > LONGEST_LICENCE:  # some put the whole text there
        written = "; ".join(each.rpartition(" :: ")[2] for each in classifiers) or written.partition("\n")[0].strip()
    licence = written[:LONGEST_LICENCE]
    return Package(
        name=str(fields["Name"]), version=str(fields["Version"]), kind="pypi", sha256=digest, licence=licence
    )


def _place(name: str) -> str:
    """Where an installer puts the file; empty for scripts and headers. What leads out of the folder is a ValueError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(f"{name!r} leads out of its folder")
    if path.parts and path.parts[0].endswith(".data"):
        return str(PurePosixPath(*path.parts[2:])) if path.parts[1:2] and path.parts[1] in LIBRARIES else ""
    return str(path)


def _belongs(path: PurePosixPath) -> bool:
    if path.parts[0].endswith(".dist-info"):
        return path.name == "METADATA" or "licenses" in path.parts or bool(LICENCE.match(path.name))
    if path.suffix in SOURCES or TEST_FOLDERS & set(path.parts[:-1]):
        return False
    return not str(path).startswith(NEVER_RUNS)
