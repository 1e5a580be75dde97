"""The identity of a job outside of GitHub: what a shell evaluates, and who can read it."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.world import HOSTILE, ROOT

PROGRAM = ROOT / "actions/identity/variables.py"
AWS = {"MLOPS_AWS_ROLE": "arn:write", "MLOPS_AWS_READ_ROLE": "arn:read", "MLOPS_AWS_REGION": "eu-central-1"}
AZURE = {
    "MLOPS_AZURE_CLIENT_ID": "writer", "MLOPS_AZURE_READ_CLIENT_ID": "reader", "MLOPS_AZURE_TENANT_ID": HOSTILE,
    "MLOPS_AZURE_STORAGE_ACCOUNT": "store",
}  # fmt: skip
TOKENS = {"MLOPS_AWS_TOKEN": "aws-jwt", "MLOPS_AZURE_TOKEN": "azure-jwt", "MLOPS_REGISTRY_PASSWORD": HOSTILE}
REGISTRY = {"MLOPS_REGISTRY": "registry.acme.example", "MLOPS_REGISTRY_USERNAME": "robot"}


def evaluated(folder: Path, *arguments: str, **variables: str) -> dict[str, str]:
    """The environment of a shell after it has evaluated what is printed."""
    script = 'set -euo pipefail\ntext=$("$@")\neval "$text"\nenv -0\n'
    done = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-I", str(PROGRAM), *arguments],
        env={"PATH": os.environ["PATH"], "RUNNER_TEMP": str(folder), **variables},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not (folder / "owned").exists()
    if done.returncode:
        raise ValueError(done.stderr)
    return dict(entry.partition("=")[::2] for entry in done.stdout.split("\0") if entry)


def test_libraries_find_what_the_forge_signed_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    found = evaluated(tmp_path, **AWS, **AZURE, **TOKENS, **REGISTRY)
    assert (found["AWS_ROLE_ARN"], found["AWS_REGION"]) == ("arn:write", "eu-central-1")
    assert (found["AZURE_CLIENT_ID"], found["AZURE_TENANT_ID"]) == ("writer", HOSTILE)
    assert found["AZURE_STORAGE_ACCOUNT_NAME"] == "store"
    files = {
        Path(found["AWS_WEB_IDENTITY_TOKEN_FILE"]): "aws-jwt", Path(found["AZURE_FEDERATED_TOKEN_FILE"]): "azure-jwt",
    }  # fmt: skip
    config = Path(found["DOCKER_CONFIG"], "config.json")
    signed_in = json.loads(config.read_text())["auths"]["registry.acme.example"]["auth"]
    assert base64.b64decode(signed_in).decode() == f"robot:{HOSTILE}"
    for path, text in files.items():
        assert path.read_text() == text
    for path in (*files, config):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not TOKENS.keys() & found.keys()


def test_for_code_that_nobody_has_read_it_is_the_one_that_reads(tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--read", **AWS, **AZURE, **TOKENS, **REGISTRY)
    assert (found["AWS_ROLE_ARN"], found["AZURE_CLIENT_ID"]) == ("arn:read", "reader")
    assert "DOCKER_CONFIG" not in found


def test_what_nothing_names_is_left_out(tmp_path: Path) -> None:
    found = evaluated(tmp_path, **TOKENS)
    assert [name for name in found if name.startswith(("AWS_", "AZURE_", "DOCKER_"))] == []
    assert evaluated(tmp_path, "--read", MLOPS_AWS_ROLE="arn:write", **TOKENS).get("AWS_ROLE_ARN") is None


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (AWS, "MLOPS_AWS_TOKEN"),
        ({**AZURE, "MLOPS_AZURE_TENANT_ID": "", **TOKENS}, "MLOPS_AZURE_TENANT_ID"),
        (REGISTRY, "MLOPS_REGISTRY_PASSWORD"),
    ],
)
def test_a_half_told_identity_stops_the_job(tmp_path: Path, given: dict[str, str], missing: str) -> None:
    with pytest.raises(ValueError, match=f"error: .* {missing} is not"):
        evaluated(tmp_path, **given)
