"""One release: what has to be so before, the commit and the tags, and their way to the remote.

Commit and tag are made from the released commit alone (its files, its date), so they have the same ids wherever and
however often they are made: a release that was killed is made again, is found to be the same, and finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_commit import TOOLKIT_EMAIL, TOOLKIT_NAME
from mlops_ci.adapters.git_tree import File, changed_tree
from mlops_ci.errors import ConfigurationError, OutsideError
from tools.release_toolkit.references import FOLDERS, rewritten
from tools.release_toolkit.version import Version


@dataclass(frozen=True, kw_only=True)
class Release:
    """What was made of `source`: the commit with the rewritten references, and the annotated tag on it."""

    version: Version
    source: str
    commit: str
    tag: str

    def to_json(self) -> dict[str, str]:
        return {
            "version": str(self.version), "tag": self.version.tag, "moving": self.version.moving,
            "source": self.source, "commit": self.commit,
        }  # fmt: skip


def texts(git: GitRepository, commit: str) -> dict[str, str]:
    """The text files of `FOLDERS` at the commit, by their paths from the top."""
    found = {}
    for path in git.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", *FOLDERS).split("\0"):
        data = git.read(path, ref=commit, from_top=True) if path else None
        if data is None or b"\0" in data:
            continue
        try:
            found[path] = data.decode()
        except UnicodeDecodeError:
            continue
    return found


def make(git: GitRepository, *, source: str, version: Version, repository: str, notes: str) -> Release:
    """Writes commit and tag as objects; no ref names them yet."""
    changes = _changes(git, source, repository=repository, ref=version.tag)
    date = git.git("show", "-s", "--format=%ct +0000", source)
    person = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", TOOLKIT_NAME), ("EMAIL", TOOLKIT_EMAIL), ("DATE", date))
    }
    tree = changed_tree(git.git, source, changes)
    title = f"Release {version.tag}"
    commit = git.git("commit-tree", tree, "-p", source, data=f"{title}\n".encode(), env=person)
    tag = git.git(
        "mktag",
        data=(
            f"object {commit}\ntype commit\ntag {version.tag}\ntagger {TOOLKIT_NAME} <{TOOLKIT_EMAIL}> {date}\n\n"
            f"{title}\n\n{notes}\n"
        ).encode(),
    )
    return Release(version=version, source=source, commit=commit, tag=tag)


def name(git: GitRepository, release: Release) -> None:
    """Makes both tags here, in one transaction; the one that is there already has to be the same."""
    tag, moving = f"refs/tags/{release.version.tag}", f"refs/tags/{release.version.moving}"
    there = git.git("rev-parse", "-q", "--verify", tag, check=False)
    lines = [] if there == release.tag else [f"create {tag} {release.tag}"]
    lines += [f"update {moving} {release.commit}"]
    git.git("update-ref", "--stdin", data="".join(f"{line}\n" for line in lines).encode())


def push(
    git: GitRepository, release: Release, remote: str, tags: Mapping[str, str], env: Mapping[str, str] | None
) -> None:
    """Both tags or none; `tags` are those that the remote was seen to have, and the moving one has not moved since."""
    tag, moving = release.version.tag, release.version.moving
    if tags.get(tag) == release.tag and tags.get(moving) == release.commit:
        return
    git.git(
        *("push", "--quiet", "--atomic", f"--force-with-lease=refs/tags/{moving}:{tags.get(moving, '')}"),
        *(remote, f"refs/tags/{tag}", f"refs/tags/{moving}"),
        env=env,
    )


def tags_at(git: GitRepository, remote: str, env: Mapping[str, str] | None) -> dict[str, str]:
    """What the tags of the remote name: an annotated one its tag object."""
    try:
        listing = git.git("ls-remote", "--refs", remote, "refs/tags/*", env=env)
    except OutsideError as error:
        raise OutsideError(
            f"the tags of {remote} cannot be read: {error.what}", fix="see what Git says above"
        ) from error
    return {
        ref.removeprefix("refs/tags/"): id for id, _, ref in (line.partition("\t") for line in listing.splitlines())
    }


def tags_here(git: GitRepository) -> dict[str, str]:
    listing = git.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/tags/")
    return {ref: id for id, _, ref in (line.partition(" ") for line in listing.splitlines())}


def _changes(git: GitRepository, source: str, *, repository: str, ref: str) -> dict[str, File]:
    """The files whose references change, each with its mode and its new content."""
    changes = {}
    for path, text in texts(git, source).items():
        new = rewritten(text, repository=repository, ref=ref)
        if new == text:
            continue
        mode = git.git("ls-tree", "--full-tree", source, "--", path).split()[0]
        changes[path] = File(mode, git.git("hash-object", "-w", "--stdin", data=new.encode()))
    if not changes:
        raise ConfigurationError("nothing in this commit names the toolkit", fix=f"look at {', '.join(FOLDERS)}")
    return changes
