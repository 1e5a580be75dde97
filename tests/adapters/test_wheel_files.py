"""Of a wheel only that is taken which may run, or which says what it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mlops_ci.adapters.wheel_files import contents, package_of
from mlops_ci.core.image import Package
from mlops_ci.errors import IntegrityError

METADATA = "Metadata-Version: 2.4\nName: Thing\nVersion: 1.2\n{}\n\nLicense: not a header\n"


def wheel(place: Path, *names: str, metadata: str = "License-Expression: MIT") -> Path:
    path = place / "thing-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("thing-1.2.dist-info/METADATA", METADATA.format(metadata))
        for name in names:
            opened.writestr(name, b"content")
    return path


def test_what_never_runs_stays_out(tmp_path: Path) -> None:
    taken = {
        *("thing/__init__.py", "thing/fast.so", "thing/data.json", "thing/latest/x.py", "thing/test.py"),
        *("thing-1.2.dist-info/licenses/LICENSE", "thing-1.2.dist-info/LICENSE.txt", "numpy/fft/__init__.py"),
        "onnxruntime/capi/onnxruntime_pybind11_state.so",
    }
    left = {
        *("thing/tests/test_x.py", "thing/test/x.py", "thing/__init__.pyi", "thing/fast.pyx", "thing/include/a.h"),
        *("thing-1.2.dist-info/RECORD", "thing-1.2.dist-info/WHEEL", "thing-1.2.dist-info/entry_points.txt"),
        *("numpy/f2py/x.py", "onnxruntime/transformers/a/b.py", "onnxruntime/capi/libonnxruntime.so.1"),
        *("thing-1.2.data/scripts/thing", "thing-1.2.data/headers/a.h"),
    }

    assert set(contents(wheel(tmp_path, *taken, *left))) == {*taken, "thing-1.2.dist-info/METADATA"}


def test_data_for_the_library_goes_where_an_installer_puts_it(tmp_path: Path) -> None:
    found = contents(wheel(tmp_path, "thing-1.2.data/purelib/thing/a.py", "thing-1.2.data/platlib/thing/b.so"))

    assert {"thing/a.py", "thing/b.so"} <= set(found)


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "thing/../../evil.py", "thing\\evil.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError, match="leads out"):
        contents(wheel(tmp_path, name))


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"<html>")

    with pytest.raises(IntegrityError, match=r"x\.whl"):
        contents(tmp_path / "x.whl")


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MPL-2.0 AND MIT", "MPL-2.0 AND MIT"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("License: UNKNOWN " + "x" * 100 + "\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("Classifier: License :: OSI Approved :: Apache Software License", "Apache Software License"),
        ("Summary: says nothing", ""),
    ],
)
def test_the_licence_is_told_as_far_as_the_wheel_tells_it(tmp_path: Path, metadata: str, licence: str) -> None:
    package = package_of(contents(wheel(tmp_path, metadata=metadata)), digest="ab" * 32)

    assert package == Package(name="Thing", version="1.2", kind="pypi", sha256="ab" * 32, licence=licence)
