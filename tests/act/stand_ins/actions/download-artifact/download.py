"""What actions/download-artifact leaves: one artifact by name as it is, several by pattern in a folder each."""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main(environ: os._Environ[str]) -> str | None:
    """Raises nothing: the answer is what kept it from downloading."""
    run, name = environ["RUN"], environ["NAME"]
    if run and run != environ["GITHUB_RUN_ID"] and not may_read(run, environ):
        return f"the artifacts of run {run} need a github-token that has `actions: read`"
    if environ["IDS"]:
        return "artifact-ids is not what this stand-in knows"
    kept = Path(environ["STAND_IN_ARTIFACTS"], run or environ["GITHUB_RUN_ID"])
    names = sorted(path.name for path in kept.iterdir()) if kept.is_dir() else []
    target = Path(environ["GITHUB_WORKSPACE"], environ["PATH_WITHIN"])
    if name:
        if name not in names:
            return f"Artifact not found for name: {name}"
        shutil.copytree(kept / name, target, dirs_exist_ok=True)
        return None
    target.mkdir(parents=True, exist_ok=True)
    for each in fnmatch.filter(names, environ["PATTERN"] or "*"):
        into = target if environ["MERGE"] == "true" else target / each
        shutil.copytree(kept / each, into, dirs_exist_ok=True)
    return None


def may_read(run: str, environ: os._Environ[str]) -> bool:
    address = f"{environ['GITHUB_API_URL']}/repos/{environ['GITHUB_REPOSITORY']}/actions/runs/{run}/artifacts"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {environ['TOKEN']}"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(os.environ))
