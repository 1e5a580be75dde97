"""Which files differ from an earlier commit, as a pull request shows them, and what is not committed yet as well."""

from __future__ import annotations

from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ConfigurationError

_NO_COMMIT = frozenset("0")


def changed_since(repository: GitRepository, base: str) -> list[str] | None:
    """The paths, from the project's folder, of all files that this work tree has otherwise than where it left `base`.

    Both names of a renamed file are among them, and deleted and new files, whether committed or not; files that Git is
    told to ignore are not. None where there is nothing to compare with: `base` is all zeros, as in the event of a
    branch's first push. Raises ConfigurationError where there is no such commit, or no common one.
    """
    if base and set(base) <= _NO_COMMIT:
        return None
    commit = repository.commit(base)
    if commit is None:
        raise ConfigurationError(
            f"there is no commit {base}",
            where="--base",
            fix="fetch it; in GitHub Actions: checkout with fetch-depth: 0",
        )
    start = repository.merge_base(commit, "HEAD")
    if start is None:
        raise ConfigurationError(
            f"{base} and HEAD have no commit in common", where="--base", fix="fetch the whole history: fetch-depth: 0"
        )
    return _differing(repository, start)


def changed_by_push(repository: GitRepository, before: str) -> list[str] | None:
    """As `changed_since`, but from the very commit that the branch showed before a push: what a forced push took away
    has changed, too.

    None also where that commit is nowhere any more, as after a forced push. Raises ConfigurationError where it may
    only not have been fetched.
    """
    if not before.strip("0"):
        return None
    commit = repository.commit(before)
    if commit is not None:
        return _differing(repository, commit)
    if repository.git("rev-parse", "--is-shallow-repository").strip() == "true":
        raise ConfigurationError(
            f"there is no commit {before}",
            where="--before",
            fix="fetch the whole history; in GitHub Actions: checkout with fetch-depth: 0",
        )
    return None


def _differing(repository: GitRepository, start: str) -> list[str]:
    differing = repository.git(
        "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative", start, "--", "."
    )
    unknown = repository.git("ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    return sorted({path for text in (differing, unknown) for path in text.split("\0") if path})
