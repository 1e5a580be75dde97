"""An image's configuration: the same bytes for the same inputs, and nothing in it that is not meant."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from mlops_ci.core.image_format import Foundation, Identity, build_record, configuration, image_id, labels

IDENTITY = Identity(
    model="late", version=3, lock="1" * 64, commit="2" * 40, created="2026-02-03T04:05:06Z", source="https://x.org/late"
)
BASE = Foundation(
    name="python:3.11-slim",
    reference="python@sha256:" + "3" * 64,
    digest="sha256:" + "3" * 64,
    platform="linux/arm64",
    layers=("sha256:a", "sha256:b"),
    configuration={
        "Env": ["PATH=/usr/local/bin:/usr/bin", "PYTHON_VERSION=3.11.9", "PYTHONHOME=/elsewhere", "EMPTY="],
        "Labels": {"team": "acme", "org.opencontainers.image.title": "base", "io.mlops-ci.release": "forged"},
        "User": "root",
        "Cmd": ["python3"],
        "Entrypoint": ["/entry.sh"],
    },
    python="/usr/local/bin/python3.11",
)
LAYERS = {"dependencies": "sha256:c", "service": "sha256:d", "model": "sha256:e"}


def made(identity: Identity = IDENTITY, base: Foundation = BASE, *, bytecode: bool = True) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        configuration(identity, base, model_digest="f" * 64, layers=LAYERS, bytecode=bytecode)
    )
    return content


def test_it_says_how_it_runs() -> None:
    config = made()["config"]

    assert config["User"] == "10001:10001"
    assert config["Cmd"] is None
    assert config["Entrypoint"] == [
        *("/usr/local/bin/python3.11", "-P", "-m", "mlops_ci.scoring", "--files", "/model"),
        *("--host", "0.0.0.0", "--port", "8080"),
    ]
    assert config["Healthcheck"]["Test"] == [
        *("CMD", "/usr/local/bin/python3.11", "-P", "-m", "mlops_ci.scoring.healthcheck", "8080"),
    ]
    assert (config["ExposedPorts"], config["StopSignal"]) == ({"8080/tcp": {}}, "SIGTERM")


def test_the_bases_environment_stays_but_not_what_changes_how_python_runs() -> None:
    environment = dict(line.split("=", 1) for line in made()["config"]["Env"])

    assert environment["PATH"] == "/usr/local/bin:/usr/bin"
    assert environment["EMPTY"] == ""
    assert "PYTHONHOME" not in environment
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["PYTHONPYCACHEPREFIX"] == "/opt/mlops-ci/bytecode"
    assert "PYTHONPYCACHEPREFIX" not in str(made(bytecode=False))


def test_labels_that_speak_of_the_base_are_not_inherited() -> None:
    found = made()["config"]["Labels"]

    assert found["team"] == "acme"
    assert found["org.opencontainers.image.title"] == "late"
    assert "io.mlops-ci.release" not in found
    assert found == {"team": "acme"} | labels(IDENTITY, BASE, model_digest="f" * 64)


def test_what_is_not_known_is_not_said() -> None:
    nowhere = replace(IDENTITY, source="", created="", commit="")

    found = made(nowhere)

    assert not {"org.opencontainers.image.source", "org.opencontainers.image.revision"} & set(found["config"]["Labels"])
    assert found["created"] == "1970-01-01T00:00:00Z"


def test_every_layer_is_in_it_with_its_history() -> None:
    content = made()

    assert content["rootfs"]["diff_ids"] == ["sha256:a", "sha256:b", "sha256:c", "sha256:d", "sha256:e"]
    assert len(content["history"]) == 5
    assert (content["os"], content["architecture"]) == ("linux", "arm64")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "x"}, {"version": 4}, {"lock": "9"}, {"commit": "9"}, {"created": "2027-01-01T00:00:00Z"},
        {"source": "https://y.org"},
    ],
)  # fmt: skip
def test_every_input_is_in_the_id(change: dict[str, Any]) -> None:
    def made_id(identity: Identity) -> str:
        return image_id(configuration(identity, BASE, model_digest="f", layers=LAYERS, bytecode=True))

    assert made_id(IDENTITY) == made_id(replace(IDENTITY))
    assert made_id(IDENTITY) != made_id(replace(IDENTITY, **change))


def test_the_id_and_the_record_are_these() -> None:
    """Images that people have were made with them: they must not change by accident."""
    record = build_record(IDENTITY, BASE, files={"b": "2", "a": "1"}, dependencies="sha256:c", service="sha256:d")

    assert json.loads(record) == {
        "model": "late", "version": 3, "lock": "1" * 64, "commit": "2" * 40, "base": BASE.reference,
        "platform": "linux/arm64", "files": {"a": "1", "b": "2"}, "dependencies": "sha256:c", "service": "sha256:d",
    }  # fmt: skip
    assert record.startswith(b'{"base":')
    assert record.endswith(b"}\n")
    assert image_id(b"x") == f"sha256:{hashlib.sha256(b'x').hexdigest()}"
