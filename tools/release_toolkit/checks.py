"""What has to be so before a version is released; everything that is not is said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ConfigurationError, Problem
from tools.release_toolkit import changelog
from tools.release_toolkit.references import others
from tools.release_toolkit.release import texts
from tools.release_toolkit.version import Version, of_tag

PACKAGE = "mlops_ci/__init__.py"


def require_ready(
    git: GitRepository, *, source: str, version: Version, tested: str, tags: Mapping[str, str], remote: str
) -> str:
    """The notes of the release. Raises ConfigurationError with every reason why it may not be made.

    `tags` are all that are known, here and at the remote.
    """
    problems = [
        *_work_tree(git),
        *_tests(source, tested),
        *_version(git, source, version),
        *_order(git, source, version, tags),
        *_pushed(git, source, remote),
        *others(texts(git, source), version.moving),
    ]
    notes = ""
    try:
        notes = changelog.notes(_text(git, source, changelog.FILE), str(version))
    except ConfigurationError as error:
        problems.append(Problem(where=error.where, what=error.what, fix=error.fix))
    if problems:
        raise ConfigurationError(f"{version.tag} cannot be released", problems=problems)
    return notes


def _work_tree(git: GitRepository) -> Iterator[Problem]:
    changed = git.git("status", "--porcelain").splitlines()
    if changed:
        yield Problem(
            where="the work tree", what=f"is not what was committed: {', '.join(line[3:] for line in changed[:5])}",
            fix="commit it, or put it away",
        )  # fmt: skip


def _tests(source: str, tested: str) -> Iterator[Problem]:
    """This is what the caller says, and nothing proves it; release.yml says it after its own tests have passed."""
    if tested != source:
        yield Problem(
            where="--tested", what=f"names {tested or 'no commit'}, and {source} is to be released",
            fix="run `bash .ci/run` on this commit, and name it in full once it has passed",
        )  # fmt: skip


def _version(git: GitRepository, source: str, version: Version) -> Iterator[Problem]:
    found = re.search(r'^__version__ = "([^"]*)"$', _text(git, source, PACKAGE), flags=re.MULTILINE)
    written = found[1] if found else "none"
    if written != str(version):
        yield Problem(
            where=PACKAGE, what=f"the version is {written}, not {version}", fix="change it, or release that one"
        )


def _order(git: GitRepository, source: str, version: Version, tags: Mapping[str, str]) -> Iterator[Problem]:
    """A version comes after all others of its major one, and a new major one after all there are."""
    released = {found: id for name, id in tags.items() if (found := of_tag(name)) is not None and found != version}
    same = {other for other in released if other.major == version.major}
    newest = max(same or released, default=None)
    if newest is None:
        return
    if newest > version:
        yield Problem(where=newest.tag, what=f"is there already, and later than {version}", fix="take a later version")
        return
    before = git.commit(f"{released[newest]}^{{commit}}^")
    if before is None:
        yield Problem(where=newest.tag, what="is not in this clone", fix="git fetch --tags, with the whole history")
    elif newest in same and not git.is_ancestor(before, of=source):
        yield Problem(
            where=newest.tag, what=f"was made from {before}, which is no part of what is to be released",
            fix=f"release from a branch that has it, or {version.moving} would go backwards",
        )  # fmt: skip


def _pushed(git: GitRepository, source: str, remote: str) -> Iterator[Problem]:
    if remote and not git.git("branch", "--remotes", "--contains", source, "--list", f"{remote}/*"):
        yield Problem(
            where=source,
            what=f"is on no branch of {remote} that this clone knows",
            fix=f"push it, then git fetch {remote}",
        )


def _text(git: GitRepository, source: str, path: str) -> str:
    return (git.read(path, ref=source, from_top=True) or b"").decode(errors="replace")
