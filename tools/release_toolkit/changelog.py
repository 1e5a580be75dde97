"""What CHANGELOG.md says of one version."""

from __future__ import annotations

import re

from mlops_ci.errors import ConfigurationError

FILE = "CHANGELOG.md"


def notes(text: str, version: str) -> str:
    """The section of the version, without its heading.

    Raises ConfigurationError where there is none, where it is empty, or where its heading has no date.

    >>> notes("# Changelog\\n\\n## 1.1.0 — 2026-12-01\\n\\n- New.\\n\\n## 1.0.0 — 2026-11-21\\n\\n- First.\\n", "1.1.0")
    '- New.'
    """
    sections = re.split(r"^## +", text, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, body = section.partition("\n")
        if heading.split()[:1] != [version]:
            continue
        if not re.search(r"\b\d{4}-\d{2}-\d{2}\s*$", heading):
            raise ConfigurationError(
                f"the section of {version} has no date", where=FILE, fix=f"write ## {version} — year-month-day"
            )
        if not body.strip():
            raise ConfigurationError(
                f"the section of {version} is empty", where=FILE, fix="say what a team notices of this version"
            )
        return body.strip()
    raise ConfigurationError(
        f"there is no section for {version}",
        where=FILE,
        fix=f"add ## {version} — year-month-day, and what a team notices",
    )
