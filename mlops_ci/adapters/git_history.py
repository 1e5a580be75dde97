"""Whether a clone has the whole history, which the default checkout of GitHub Actions has not."""

from __future__ import annotations

from mlops_ci.adapters.git import GitRepository
from mlops_ci.errors import ConfigurationError


def require_history(repository: GitRepository) -> None:
    """Raises ConfigurationError where commits are missing: what they vouch for would go unnoticed."""
    if repository.git("rev-parse", "--is-shallow-repository", check=False) == "true":
        raise ConfigurationError(
            "this clone lacks older commits, so it does not show all that Git vouches for",
            where=str(repository.root),
            fix="git fetch --unshallow; in GitHub Actions: checkout with fetch-depth: 0",
        )
