from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.scoring.artifact import load
from tests.scoring.serving import files_of
from tests.scoring.tiny_models import binary

BUILD = json.dumps({"model": "delay", "version": 7}).encode()


def folder_of(folder: Path, **more: bytes | None) -> Path:
    for name, data in {**files_of(binary()), **{f"{name}.json": data for name, data in more.items()}}.items():
        if data is not None:
            (folder / name).write_bytes(data)
    return folder


def test_an_image_says_itself_what_it_serves(tmp_path: Path) -> None:
    artifact = load(folder_of(tmp_path, build=BUILD), None, None)

    assert (artifact.name, artifact.version) == ("delay", 7)
    assert artifact.build == sha256(BUILD).hexdigest()
    assert artifact.model_digest == sha256(binary().onnx).hexdigest()
    assert artifact.about("r")["release"] == "r"


def test_what_is_given_goes_before(tmp_path: Path) -> None:
    artifact = load(folder_of(tmp_path, build=BUILD), "other", 0)

    assert (artifact.name, artifact.version) == ("other", 0)


def test_a_folder_needs_no_record_of_an_image(tmp_path: Path) -> None:
    artifact = load(folder_of(tmp_path), "delay", 3)

    assert (artifact.name, artifact.version, artifact.build) == ("delay", 3, "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "names model and version, so they have to be given"),
        ({"build": b"{}"}, "names model and version, so they have to be given"),
        ({"build": b'{"model": "m", "version": "7"}'}, "names model and version"),
        ({"build": b"{"}, "build.json: Expecting"),
        ({"build": b"[]"}, "build.json: holds no object"),
        ({"build": BUILD, "signature": b"[]"}, "signature.json: TypeError"),
        ({"build": BUILD, "card": b"junk"}, "card"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load(folder_of(tmp_path, **more), None, None)
