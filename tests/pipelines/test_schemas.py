"""Every rendered pipeline fits the schema that its forge publishes, and a file that does not is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.world import render

SCHEMAS = {
    "gitlab": ("vendor.gitlab-ci", "--data-transform=gitlab-ci"),
    "azure-devops": ("vendor.azure-pipelines", "--data-transform=azure-pipelines", "--regex-variant=nonunicode"),
}
"""A pattern of Azure's is none of a stricter reading."""
KINDS = ("batch-scoring", "monorepo")
"""The two that differ most: the others have what the first has, less what scores."""
FILES = {"gitlab": (".gitlab-ci.yml", ".gitlab/ci/*.yml"), "azure-devops": (".azure-pipelines/**/*.yml",)}


def checked(pipelines: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    schema, *options = SCHEMAS[pipelines]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *options, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("pipelines", SCHEMAS)
def test_they_fit_and_what_does_not_is_seen(tmp_path: Path, pipelines: str) -> None:
    files = []
    for kind in KINDS:
        folder = render(tmp_path / kind, pipelines, kind)
        # Azure's schema has templates of jobs and steps, and none of variables.
        files += [
            path for pattern in FILES[pipelines] for path in folder.glob(pattern) if "variables.yml" not in path.name
        ]
    assert len(files) >= 4 * len(KINDS)
    fits = checked(pipelines, files)
    assert fits.returncode == 0, fits.stdout

    broken = tmp_path / "broken.yml"
    broken.write_text("stages: {judge: 1}\njudge: {script: 3, steps: {}}\n")
    assert checked(pipelines, [broken]).returncode == 1
