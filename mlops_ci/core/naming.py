"""The names of columns as people are shown them: a file may call a column anything."""

from __future__ import annotations

LONGEST = 80


def shown_name(name: object) -> str:
    r"""The name on one line, of bounded length, and without what a terminal would obey.

    >>> shown_name("height")
    'height'
    >>> shown_name("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    text = str(name)
    return one_line(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def one_line(text: str) -> str:
    r"""The text without what would break a line or what a terminal would obey.

    >>> one_line("slow\n and wrong")
    'slow\\n and wrong'
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
