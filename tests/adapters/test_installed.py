from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from mlops_ci.adapters.installed import InstalledPackages

INSTALLED = InstalledPackages()


def test_names_interpreter_platform_and_what_trains() -> None:
    found = INSTALLED.environment([])
    assert found["python"] == platform.python_version()
    assert (found["system"], found["machine"]) == (platform.system(), platform.machine())
    for name in ("scikit-learn", "numpy", "pandas", "skl2onnx", "onnx", "onnxruntime", "scipy", "joblib"):
        assert found[name] == version(name)


def test_what_those_packages_need_is_in_it_and_what_nobody_imports_is_not() -> None:
    found = INSTALLED.environment([])
    assert "threadpoolctl" in found, "scikit-learn needs it"
    assert "protobuf" in found, "onnx needs it"
    assert "pytest" not in found
    assert "jinja2" not in found


def test_an_imported_package_comes_with_what_it_needs_also_under_another_name() -> None:
    found = INSTALLED.environment(["jinja2", "yaml", "sklearn", "not_installed_at_all"])
    assert found["jinja2"] == version("jinja2")
    assert found["markupsafe"] == version("markupsafe")
    assert found["pyyaml"] == version("pyyaml"), "its module is called yaml"
    assert "not-installed-at-all" not in found


def test_what_only_an_extra_asks_for_is_no_part_of_it() -> None:
    assert "pyarrow" in INSTALLED.environment([]), "we read Parquet with it ourselves"
    assert "matplotlib" not in INSTALLED.environment(["pandas"]), "an extra of pandas"


def installed_from(folder: Path, source: Path, *, editable: bool) -> None:
    info = folder / "acme_features-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-features\nVersion: 1.0\n")
    (info / "RECORD").write_text("")
    dir_info = '{"editable": true}' if editable else "{}"
    (info / "direct_url.json").write_text(f'{{"url": "file://{source}", "dir_info": {dir_info}}}')


@pytest.mark.parametrize("editable", [True, False])
def test_an_editable_package_changes_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    source = tmp_path / "shared code"
    source.mkdir()
    (source / "acme_features.py").write_text("x = 1\n")
    installed_from(tmp_path / "site", source.with_name("shared%20code"), editable=editable)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    before = INSTALLED.environment(["acme_features"])["acme-features"]
    (source / "acme_features.py").write_text("x = 2\n")
    after = INSTALLED.environment(["acme_features"])["acme-features"]
    assert before.startswith("1.0")
    assert (before != after) == editable


def test_the_machine_says_what_may_show_in_the_last_digits() -> None:
    _ = np.ones((2, 2)) @ np.ones((2, 2))
    machine = InstalledPackages().machine()
    assert int(machine["cores"]) >= 1
    assert machine["blas"]
    assert all(isinstance(value, str) for value in machine.values())
