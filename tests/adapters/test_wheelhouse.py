"""Wheels come as the lock pins them, are kept by digest, and are never trusted because they are there."""

from __future__ import annotations

import hashlib
import re
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from mlops_ci.adapters.wheelhouse import PIN, Wheelhouse
from mlops_ci.errors import OutsideError

ROOT = Path(__file__).parents[2]
IMAGE_LOCK = (files("mlops_ci.resources") / "image-requirements.lock").read_text("utf-8")
ASKED = (files("mlops_ci.resources") / "image-requirements.in").read_text("utf-8")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds wheels, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def wheel(folder: Path, name: str, content: str = "") -> str:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(f"{name}/__init__.py", content)
        opened.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        opened.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def house(folder: Path, **pins: str) -> Wheelhouse:
    lines = [f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in pins.items()]
    return Wheelhouse(folder / "cache", lock="".join(lines))


def test_what_was_fetched_once_needs_no_index_any_more(index: Path, tmp_path: Path) -> None:
    pins = {name: wheel(index, name) for name in ("one", "two")}
    first = house(tmp_path, **pins).wheels("linux/amd64", "3.11")
    for path in index.iterdir():
        path.unlink()

    assert house(tmp_path, **pins).wheels("linux/amd64", "3.11") == first
    assert list(first) == [pins["one"], pins["two"]]
    with pytest.raises(OutsideError):
        house(tmp_path, **pins).wheels("linux/arm64", "3.11")


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "record"])
def test_what_somebody_changed_is_fetched_again(index: Path, tmp_path: Path, damage: str) -> None:
    digest = wheel(index, "one")
    first = house(tmp_path, one=digest).wheels("linux/amd64", "3.11")
    kept = first[digest]
    whole = kept.read_bytes()
    match damage:
        case "changed":
            kept.write_bytes(whole.replace(b"one", b"0ne"))
        case "cut":
            kept.write_bytes(whole[:100])
        case "gone":
            kept.unlink()
        case "record":
            next((tmp_path / "cache" / "resolved").iterdir()).write_text('{"../../x": "../y"}')

    again = house(tmp_path, one=digest).wheels("linux/amd64", "3.11")

    assert again == first
    assert kept.read_bytes() == whole


def test_a_wheel_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index, "one", "planted = True")

    with pytest.raises(OutsideError, match="cannot be fetched") as raised:
        house(tmp_path, one="0" * 64).wheels("linux/amd64", "3.11")

    assert raised.value.exit_code == 20
    assert not (tmp_path / "cache").exists()


def test_no_index_no_wheels_and_no_credentials_in_the_message(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://ada:a-secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")

    with pytest.raises(OutsideError, match="cannot be fetched") as raised:
        house(tmp_path, one="0" * 64).wheels("linux/amd64", "3.11")

    assert "a-secret" not in str(raised.value)


def test_the_lock_pins_each_package_once_with_its_hashes_and_as_everywhere_else() -> None:
    """A marker would be answered by the Python that builds, and not by that of the image."""
    pins = {name: version for name, version, _ in PIN.findall(IMAGE_LOCK)}
    everywhere = (ROOT / "requirements.lock").read_text("utf-8")

    assert set(pins) == {line for line in ASKED.splitlines() if line and not line.startswith("#")}
    assert re.sub(PIN, "", IMAGE_LOCK).strip() == ""
    for name, version in pins.items():
        assert f"\n{name}=={version} " in everywhere, f"run `.venv/bin/nox -s lock`: {name} is another elsewhere"
