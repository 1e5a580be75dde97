"""The toolkit as its users' workflows find it: this work tree under `@v1`, and stand-ins for the actions of others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.act.tokens import separate

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).with_name("stand_ins")
CODE = "code"
MAPPED = (".github/", "actions/", "pyproject.toml")
INSTALLED = ("mlops_ci/", "templates/")
# What checks and releases the toolkit itself is nobody's to call.
OWN_WORKFLOWS = ("ci.yml", "release.yml")
USES = re.compile(r"^\s*-?\s*uses:\s*([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([\w.-]+)", re.MULTILINE)


def export(folder: Path) -> Path:
    """Copies what Git tracks of the work tree, and what is new in it, as it is now; but for the tokens of jobs.

    What act is given has actions and workflows only, since it copies that for every step; the code is beside it.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    checkout, code = folder / "checkout", folder / CODE
    for name in sorted(set(filter(None, names))):
        part = checkout if name.startswith(MAPPED) else code if name.startswith(INSTALLED) else None
        if part is not None and (ROOT / name).is_file():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, part / name)
    for workflow in (checkout / ".github" / "workflows").glob("*.yml"):
        if workflow.name not in OWN_WORKFLOWS:
            separate(checkout, workflow)
    return checkout


def used(folder: Path) -> set[tuple[str, str]]:
    """Each `owner/name` and ref that a workflow or an action below the folder uses."""
    files = [*folder.glob(".github/workflows/*.yml"), *folder.glob("actions/*/action.yml")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.name not in OWN_WORKFLOWS]
    return {found for text in texts for found in USES.findall(text)}


def local_repositories(toolkit: Path, team: Path) -> dict[str, Path]:
    """The folder for each `owner/name@ref` that the workflows of both use.

    Raises AssertionError where an action of others has no stand-in, or is not pinned to a commit.
    """
    found: dict[str, Path] = {}
    for repository, ref in sorted(used(toolkit) | used(team)):
        if repository == "mlops-ci/mlops-ci":
            found[f"{repository}@{ref}"] = toolkit
            continue
        assert re.fullmatch("[0-9a-f]{40}", ref), f"{repository}@{ref} is not pinned to a commit"
        stand_in = STAND_INS / repository
        assert stand_in.is_dir(), f"tests/act/stand_ins has nothing for {repository}"
        found[f"{repository}@{ref}"] = stand_in
    return found


def put_in_place(toolkit: Path, checkout: Path, tool_cache: Path) -> None:
    """Makes the environments that `actions/setup` looks for: those of the tests, with the toolkit's code in front.

    So no job installs anything, and the team's own packages are those that the tests have.
    """
    for requirements in ("", "requirements.txt"):
        folder = Path(
            subprocess.run(
                [sys.executable, "-I", str(toolkit / "actions" / "setup" / "install.py"), "--folder"],
                env={
                    "RUNNER_TOOL_CACHE": str(tool_cache), "GITHUB_WORKSPACE": str(checkout),
                    "MLOPS_REQUIREMENTS": requirements,
                },
                check=True, capture_output=True, text=True,
            ).stdout.strip()
        )  # fmt: skip
        if not (folder / "complete").exists():
            make_environment(folder, toolkit)


def make_environment(folder: Path, toolkit: Path) -> None:
    venv.EnvBuilder(symlinks=True).create(folder)
    [packages] = folder.glob("lib/python*/site-packages")
    paths = [str(toolkit.with_name(CODE)), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "tests.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    program = folder / "bin" / "mlops-ci"
    program.write_text(f"#!{folder}/bin/python\nimport sys\nfrom mlops_ci.cli.main import main\nsys.exit(main())\n")
    program.chmod(0o755)
    (folder / "complete").touch()
