"""What actions/upload-artifact takes: no hidden files unless asked to, relative to the common folder of the paths."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def main(environ: os._Environ[str]) -> str | None:
    """Raises nothing: the answer is what kept it from uploading."""
    name = environ["NAME"]
    if not name or set(name) & set('":<>|*?\r\n\\/'):
        return f"the artifact name {name!r} is not valid"
    workspace, hidden = Path(environ["GITHUB_WORKSPACE"]), environ["HIDDEN"] == "true"
    roots = [workspace / line.strip() for line in environ["PATHS"].splitlines() if line.strip()]
    files = sorted({file for root in roots for file in found(root, hidden)})
    if not files:
        message = f"No files were found with the provided path: {environ['PATHS'].strip()}"
        sys.stderr.write(f"{message}\n")
        return message if environ["NONE_FOUND"] == "error" else None
    artifact = Path(environ["STAND_IN_ARTIFACTS"], environ["GITHUB_RUN_ID"], name)
    if artifact.exists():
        if environ["OVERWRITE"] != "true":
            return f"an artifact with the name {name} already exists on the associated workflow run"
        shutil.rmtree(artifact)
    above = common(roots)
    for file in files:
        copy = artifact / file.relative_to(above)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return None


def found(root: Path, hidden: bool) -> list[Path]:
    if "*" in str(root):
        fixed = base(root)
        return [path for path in fixed.glob(str(root.relative_to(fixed))) if counts(path, fixed, hidden)]
    if root.is_dir():
        return [path for path in root.rglob("*") if counts(path, root, hidden)]
    return [root] if counts(root, root.parent, hidden) else []


def counts(path: Path, within: Path, hidden: bool) -> bool:
    # A hidden folder above the path that is named is no matter, the path's own last part is.
    seen = (within.name, *path.relative_to(within).parts)
    return path.is_file() and (hidden or not any(part.startswith(".") for part in seen))


def base(root: Path) -> Path:
    while "*" in str(root):
        root = root.parent
    return root


def common(roots: list[Path]) -> Path:
    folders = [base(root) if "*" in str(root) else root if root.is_dir() else root.parent for root in roots]
    return Path(os.path.commonpath(folders))


if __name__ == "__main__":
    sys.exit(main(os.environ))
