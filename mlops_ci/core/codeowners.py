"""Who owns a file according to a CODEOWNERS file, read as GitHub reads it.

The rules are those of GitHub's documentation ("About code owners"): the last pattern that matches decides, also where
it names nobody; patterns are those of gitignore without `!`, `[ ]` and an escaped `#`; a line that GitHub would not
accept is skipped, and told of here. Sections, as GitLab has them, are such lines. Groups within groups, and dots in
users' names, which GitLab has, are owners here; GitHub knows none, so nobody can approve in their name there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""From the repository's top; the first that is there is the one that counts. The last one is GitLab's alone."""
LARGEST = 3_000_000
"""Bytes; of a larger file GitHub takes no notice."""
_WORD = re.compile(r"(?:\\.|\\$|[^ \t\r\\])+")
_SPECIAL, _SIGN = re.compile(r"[*?\\]"), re.compile(r"\\.|.", re.DOTALL)
_ONE, _MANY = "one", "many"  # longer than a character, so no name has them
_WILD = {"?": _ONE, "*": _MANY}
_OWNER = re.compile(r"@[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*|[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """Who owns one file: users (`@ada`), teams (`@acme/ml`) and e-mail addresses, as written; `line` says so (1 is the
    first; None where no pattern matches). `skipped` are the lines that are not valid, each with the reason; `sections`
    is whether one of them begins a section of GitLab's, whose owners are those of the patterns in it that name none.
    """

    owners: tuple[str, ...] = ()
    line: int | None = None
    skipped: tuple[str, ...] = ()
    sections: bool = False


def owners_of(path: str, text: str) -> Ownership:
    """The owners of the file at `path`, which is from the repository's top, by the text of a CODEOWNERS file.

    >>> owners_of("environments/production/tides.yaml", "* @ada\\n/environments/ @acme/ml\\n").owners
    ('@acme/ml',)
    """
    owners: Sequence[str] = ()
    line, skipped, sections = None, [], False
    for number, written in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        words = _words(written)
        if not words:
            continue
        pattern, *named = words
        sections |= pattern.startswith(("[", "^["))
        why_not = _invalid(pattern, named)
        if why_not:
            skipped.append(f"line {number}: {why_not}")
        elif matches(pattern, path):
            owners, line = named, number
    return Ownership(owners=tuple(owners), line=line, skipped=tuple(skipped), sections=sections)


def matches(pattern: str, path: str) -> bool:
    """Whether a valid pattern matches the file at `path`, from the repository's top. Case counts.

    >>> matches("docs/*", "docs/a.md"), matches("docs/*", "docs/deep/a.md"), matches("apps/", "x/apps/a/b.py")
    (True, False, True)
    """
    parts = [part for part in pattern.split("/") if part]
    if not parts:
        return False  # "/" alone names no file
    anchored = "/" in pattern.rstrip("/")
    inside = pattern.endswith("/") or parts[-1] == "**"
    while parts and parts[-1] == "**":
        parts.pop()
    # A `*` at the end of a longer pattern stays within its directory; any other last part may be a directory itself.
    stays = anchored and not inside and parts[-1] == "*"
    names = path.split("/")
    ends = _ends(parts if anchored else ["**", *parts], names)
    if inside:
        return any(end < len(names) for end in ends)
    return len(names) in ends if stays else bool(ends)


def _ends(parts: Sequence[str], names: Sequence[str]) -> set[int]:
    """How many of the path's names the parts may take up, all parts and the first names: none where they do not fit."""
    ends = {0}
    for part in parts:
        if not ends:
            break
        if part == "**":
            ends = set(range(min(ends), len(names) + 1))
        else:
            ends = {end + 1 for end in ends if end < len(names) and _fits(part, names[end])}
    return ends


def _fits(part: str, name: str) -> bool:
    """Whether what stands between two slashes of a pattern matches the name of a file or a directory.

    It goes back to the latest star only, so no pattern takes long (Krauss 2008, "Matching Wildcards").
    """
    if not _SPECIAL.search(part):
        return part == name
    wanted = [match[0][-1] if match[0][0] == "\\" else _WILD.get(match[0], match[0]) for match in _SIGN.finditer(part)]
    at, read, star, kept = 0, 0, -1, 0
    while read < len(name):
        if at < len(wanted) and wanted[at] is _MANY:
            star, kept, at = at, read, at + 1
        elif at < len(wanted) and wanted[at] in (_ONE, name[read]):
            at, read = at + 1, read + 1
        elif star >= 0:
            kept += 1
            at, read = star + 1, kept
        else:
            return False
    return all(sign is _MANY for sign in wanted[at:])


def _words(line: str) -> list[str]:
    """The pattern and the owners; a backslash keeps a space within the pattern, and `#` begins a comment."""
    words = []
    for word in _WORD.findall(line):
        if word.startswith("#"):
            break
        words.append(word)
    return words


def _invalid(pattern: str, owners: Sequence[str]) -> str:
    """Why GitHub does not accept the line; empty where it does."""
    if pattern.startswith("!"):
        return f"the pattern {pattern} negates, which CODEOWNERS has no way to"
    if "[" in pattern or "]" in pattern:
        return f"the pattern {pattern} has brackets: neither ranges of characters nor sections are read"
    if pattern.startswith("\\#"):
        return f"the pattern {pattern} escapes a #, which CODEOWNERS has no way to"
    if "***" in pattern:
        return f"the pattern {pattern} has three asterisks in a row"
    if pattern.endswith("\\") and not pattern.endswith("\\\\"):
        return f"the pattern {pattern} ends in a backslash that escapes nothing"
    wrong = [owner for owner in owners if not _OWNER.fullmatch(owner)]
    return f"{', '.join(wrong)}: neither @user, @organisation/team nor an e-mail address" if wrong else ""
