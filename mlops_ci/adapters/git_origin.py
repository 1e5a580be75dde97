"""Where a commit comes from and when it was made, the same whoever cloned the repository, and how."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mlops_ci.adapters.git import GitRepository


def committed_at(repository: GitRepository, commit: str) -> str:
    """When the commit was made (RFC 3339, UTC); empty where there is no such commit here."""
    seconds = repository.git("show", "-s", "--format=%ct", commit, "--", check=False)
    if not seconds.isdecimal():
        return ""
    return datetime.fromtimestamp(int(seconds), tz=UTC).isoformat().replace("+00:00", "Z")


def origin(repository: GitRepository) -> str:
    """The repository's address as people open it, without credentials; empty where it is on no host."""
    return address_of(repository.git("config", "remote.origin.url", check=False))


def address_of(remote: str) -> str:
    """The address of a remote as Git is given it.

    >>> address_of("git@github.com:acme/late.git"), address_of("https://ada:secret@example.com/acme/late/")
    ('https://github.com/acme/late', 'https://example.com/acme/late')
    >>> address_of("/srv/git/late.git"), address_of("file:///srv/late")
    ('', '')
    """
    short = re.fullmatch(r"(?:[^@/]+@)?([\w.-]+):(?!//)([^\\]+)", remote)
    try:
        parts = urlsplit(f"ssh://{short[1]}/{short[2].lstrip('/')}" if short else remote)
        web = parts.scheme in ("http", "https")
        port = f":{parts.port}" if web and parts.port else ""
    except ValueError:
        return ""
    path = parts.path.strip("/").removesuffix(".git")
    if not parts.hostname or not path or parts.scheme not in ("http", "https", "ssh", "git"):
        return ""
    return f"{parts.scheme if web else 'https'}://{parts.hostname}{port}/{path}"
