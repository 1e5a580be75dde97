"""What of the toolkit names the toolkit: at which ref, and the same text at another one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mlops_ci.errors import Problem
from tools.release_toolkit import SOURCE

FOLDERS = ("actions/", ".github/workflows/", "templates/", "infra/")
"""Where the toolkit is named by its own parts."""
_NAME = rf"(?<![\w.\-]){re.escape(SOURCE)}(?![\w\-])"
# the name, or in a template the answer that says it, then what of it is called, then at which ref; with `refs/` it is
# what a cloud is told of a workflow's identity, and calls nothing
_THIS = rf"(?:{_NAME}|\[\[ ?toolkit ?\]\])"
_CALL = re.compile(rf"(?P<what>{_THIS}(?:/[\w./-]+)?)@(?P<ref>(?!refs/)[\w./-]*\w)")
# a module of Terraform, by Git
_MODULE = re.compile(rf"(?P<what>{_THIS}//(?:[\w./-]|\[path\])+\?ref=)(?P<ref>[\w./-]*\w)")
# the default of the question `ref`, where a template asks for it instead of writing it down
_ANSWER = re.compile(r"(?P<what>^\s+ref: \{.*\bdefault: *)(?P<ref>[\w./-]*\w)", re.MULTILINE)


_PATTERNS = (_CALL, _MODULE, _ANSWER)
FOLLOWS = "/template-update.yml"
"""What stays at the moving tag in the templates: at a fixed one it would look for newer templates in an old toolkit.
Where it is no workflow of ours, a comment in its line says so: `follows`.
"""


class Reference(NamedTuple):
    """One place at which a part of the toolkit is called."""

    path: str
    line: int
    what: str
    ref: str
    follows: bool
    """Whether it stays at the moving tag."""


def references(files: Mapping[str, str]) -> list[Reference]:
    """All of them, in the order of the files' names."""
    return [
        Reference(path, text.count("\n", 0, found.start()) + 1, found["what"].strip(), found["ref"], _follows(found))
        for path, text in sorted(files.items())
        for pattern in _PATTERNS
        for found in pattern.finditer(text)
    ]


def others(files: Mapping[str, str], ref: str) -> list[Problem]:
    """The references at another ref than this one: the first of each ref, and how many more."""
    wrong = [one for one in references(files) if one.ref != ref]
    problems = []
    for other in dict.fromkeys(one.ref for one in wrong):
        first, *more = (one for one in wrong if one.ref == other)
        what = f"names {first.what} at {other}" + (f", and so do {len(more)} other places" if more else "")
        problems.append(Problem(where=f"{first.path}:{first.line}", what=what, fix=f"write @{ref}"))
    return problems


def rewritten(text: str, *, repository: str, ref: str) -> str:
    """The text with every reference at `ref`, and the toolkit under its name `repository`.

    >>> rewritten("uses: mlops-ci/mlops-ci/actions/train@v1", repository="acme/ml", ref="v1.2.0")
    'uses: acme/ml/actions/train@v1.2.0'
    >>> rewritten("uses: [[ toolkit ]]/.github/workflows/x.yml@v1", repository="acme/ml", ref="v1.2.0")
    'uses: [[ toolkit ]]/.github/workflows/x.yml@v1.2.0'
    >>> rewritten("uses: [[ toolkit ]]/.github/workflows/template-update.yml@v1", repository="acme/ml", ref="v1.2.0")
    'uses: [[ toolkit ]]/.github/workflows/template-update.yml@v1'
    >>> rewritten("X: https://github.com/[[ toolkit ]]@v1 # follows", repository="acme/ml", ref="v1.2.0")
    'X: https://github.com/[[ toolkit ]]@v1 # follows'
    >>> rewritten("git::https://github.com/mlops-ci/mlops-ci//infra/x?ref=v1", repository="acme/ml", ref="v1.2.0")
    'git::https://github.com/acme/ml//infra/x?ref=v1.2.0'
    """
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: _at(found, ref), text)
    return re.sub(_NAME, repository, text)


def _at(found: re.Match[str], ref: str) -> str:
    before = found.start("ref") - found.start()
    return found[0] if _follows(found) else found[0][:before] + ref


def _follows(found: re.Match[str]) -> bool:
    rest = found.string[found.end() :].partition("\n")[0]
    return found["what"].endswith(FOLLOWS) or re.search(r"(#|//) follows\b", rest) is not None
