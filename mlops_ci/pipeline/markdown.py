"""Text that somebody else wrote, as GitHub's Markdown shows it: the same characters, and never anything more."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 400
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that could hide or reorder what is shown (bidirectional overrides, zero-width characters)."""
BREAK = "\N{ZERO WIDTH SPACE}"
PUNCTUATION = re.compile(r"([\\`*\[\]<>|~$!])")
UNDERSCORE = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
# GitHub turns these into mentions, references and links after Markdown is read, so that no backslash keeps it from
# it; a zero-width space does.
LINKING = re.compile(r"(@|#|://|www(?=\.)|\bGH(?=-)|mailto(?=:)|xmpp(?=:))", re.IGNORECASE)
# At the beginning of a line these would make a list, a heading or a rule; or a command to a bot that reads comments.
BLOCK = re.compile(r"^(?:([-+=](?=[-+=\s]|$)|/(?=\w))|(\d+)(?=[.)](?:\s|$)))")
ENTITY = re.compile(r"&(?=[#0-9A-Za-z]+;)")


class Markdown(str):
    """Markdown of our own, which is not escaped again."""

    __slots__ = ()


def visible(text: object, *, longest: int = LONGEST, spaced: bool = False) -> str:
    """One line without invisible characters; what is longer than `longest` is cut, and says so.

    Runs of white space become one space, unless they are to stay (`spaced`).

    >>> visible("two\\nlines \\u202e")
    'two lines '
    """
    start = str(text)[: 4 * longest]
    line = start if spaced else " ".join(start.split())
    shown = (
        line
        if line.isascii() and line.isprintable()
        else "".join("" if unicodedata.category(character) in INVISIBLE else character for character in line)
    )
    return shown if len(shown) <= longest and len(str(text)) <= 4 * longest else f"{shown[:longest]}…"


def escaped(text: object) -> Markdown:
    """Shown as it is, in a paragraph, list or table cell.

    >>> escaped("a|b <i> @org/team roc_auc _x_")
    'a\\\\|b \\\\<i\\\\> @\\u200borg/team roc_auc \\\\_x\\\\_'
    """
    if isinstance(text, Markdown):
        return text
    shown = ENTITY.sub("&amp;", visible(text))
    shown = UNDERSCORE.sub(r"\\_", PUNCTUATION.sub(r"\\\1", shown))
    shown = BLOCK.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\", shown)
    return Markdown(LINKING.sub(lambda match: match[0][:1] + BREAK + match[0][1:], shown))
