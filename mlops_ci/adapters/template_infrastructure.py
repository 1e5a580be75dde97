"""What the question `infrastructure` brings: a composition of the toolkit's `infra/examples/`, as a team's `infra/`.

The files are those that the toolkit tests, but for where they find the rest: Terraform's modules come from the
toolkit's repository at the release that the template is of, and pages link to it there. What kustomize needs comes
along, since a team reads and changes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from mlops_ci.errors import ConfigurationError

QUESTION = "infrastructure"
PLACE = "infra"
_FOLDERS: Mapping[str, Mapping[str, str]] = {
    "aws": {"examples/aws-complete": ""},
    "azure": {
        "examples/azure-complete": "",
        "examples/kubernetes/overlays": "overlays",
        "examples/kubernetes/platform": "cluster",
        "examples/kubernetes/gitops": "gitops",
        "kubernetes": "kubernetes",
    },
    "kubernetes": {"examples/kubernetes": "", "kubernetes": "kubernetes"},
}
"""By answer: the folders of the toolkit's `infra/`, and what they are called in a team's."""
_LEFT_BY_RUNS = frozenset({".terraform", ".terraform.lock.hcl", ".mlops"})
_MODULE = re.compile(r'(?P<before>\bsource\s*=\s*)"(?P<path>(?:\.\./)+modules/[\w./-]+)"')
_LINK = re.compile(r"\]\((?P<path>(?:\.\./)+[^)\s]*)\)")
_KUSTOMIZED = re.compile(r"(?P<up>(?:\.\./)*)\.\./\.\./kubernetes/")
"""From a folder of the example, which lies two folders lower in the toolkit than in a team's repository."""


def infrastructure_files(toolkit: Path, answer: str, *, address: str, page: str) -> dict[str, bytes]:
    """The files by their paths in a team's repository; none for an answer that brings nothing.

    `toolkit` is the folder in which the toolkit's `infra/` lies. `address` is Terraform's of a module and `page` that
    of a page, each with `[path]` in the place of a path from the toolkit's root. Raises ConfigurationError where the
    toolkit has no such example.
    """
    files = {}
    for folder, place in _FOLDERS.get(answer, {}).items():
        origin = toolkit / PLACE / folder
        if not origin.is_dir():
            raise ConfigurationError(f"this mlops-ci has no {PLACE}/{folder}", fix="install it whole, or answer none")
        for path in _files(origin):
            inside = path.relative_to(origin).as_posix()
            data = _elsewhere(path, PurePosixPath(PLACE, folder, inside), address, page)
            files[PurePosixPath(PLACE, place, inside).as_posix()] = data
    return files


def _files(origin: Path) -> Iterator[Path]:
    for path in sorted(origin.rglob("*")):
        left = _LEFT_BY_RUNS & set(path.relative_to(origin).parts) or ".tfstate" in path.name
        if path.is_file() and not left:
            yield path


def _elsewhere(path: Path, own: PurePosixPath, address: str, page: str) -> bytes:
    """The file's content where it names what lies elsewhere in the toolkit; `own` is its path there."""
    text = path.read_text(encoding="utf-8")

    def module(found: re.Match[str]) -> str:
        return f'{found["before"]}"{address.replace("[path]", _resolved(own, found["path"]))}"'

    def link(found: re.Match[str]) -> str:
        return f"]({page.replace('[path]', _resolved(own, found['path']))})"

    if path.suffix == ".tf":
        text = _MODULE.sub(module, text)
    elif path.suffix == ".md":
        text = _LINK.sub(link, text)
    elif own.is_relative_to(f"{PLACE}/examples"):
        text = _KUSTOMIZED.sub(r"\g<up>kubernetes/", text)
    return text.encode()


def _resolved(own: PurePosixPath, path: str) -> str:
    """A path from the file, as one from the toolkit's root."""
    parts = list(own.parent.parts)
    for part in PurePosixPath(path).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
