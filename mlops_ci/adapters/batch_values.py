"""Texts that have to be numbers, column by column: what can be read is read, and what cannot is told row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

INTEGER = r"^[+-]?[0-9]{1,18}$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?([iI]nf(inity)?|INF)$"
BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"
INEXACT = r"^[+-]?0[0-9]|^\+|^-?[0-9]{16,}"
"""Written back as a number it would be another text: leading zeros of a code, more digits than a float64 holds."""


@dataclass(kw_only=True)
class TextColumn:
    """What a column of texts can be read as, given all the parts of it that were seen.

    `declared` is the kind that the model says the column has; then values that do not fit do not change the type.
    """

    declared: str | None = None
    integer: bool = True
    number: bool = True
    boolean: bool = True
    exact: bool = True
    missing: bool = False
    values: bool = False

    def see(self, texts: Any) -> None:
        import pyarrow.compute as pc

        self.missing |= texts.null_count > 0
        if self.declared == "text" or not (self.number or self.boolean):
            return
        texts = pc.utf8_trim_whitespace(texts.drop_null())
        self.boolean = self.boolean and _all(texts, BOOLEAN)
        if self.declared == "number" and not self.boolean:
            fit = pc.match_substring_regex(texts, NUMBER)
            self.missing |= not pc.all(fit, min_count=0).as_py()
            texts = texts.filter(fit)
        self.values |= len(texts) > 0
        self.number = self.number and _all(texts, NUMBER)
        self.integer = self.integer and _all(texts, INTEGER)
        self.exact = self.exact and not pc.any(pc.match_substring_regex(texts, INEXACT), min_count=0).as_py()

    @property
    def type(self) -> str:
        """As pandas would read the whole column: boolean, integer (without a missing value), number, or text."""
        if self.declared == "text":
            return "text"
        if self.values and self.boolean:
            return "boolean"
        if self.values and self.integer:
            return "number" if self.missing else "integer"
        return "number" if self.declared == "number" or (self.values and self.number) else "text"

    @property
    def kept_type(self) -> str:
        """What to write the column as, so that nothing of it is lost; whole numbers stay so next to missing values."""
        if not self.exact:
            return "text"
        return "integer" if self.type == "number" and self.values and self.integer else self.type


def numbers_from_texts(texts: Any) -> tuple[Any, list[tuple[int, str]]]:
    """A float64 array with null for missing, and the positions and reasons of what is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return texts.cast(pa.float64()), []
    except pa.ArrowInvalid:
        pass
    trimmed = pc.utf8_trim_whitespace(texts)
    fit = pc.fill_null(pc.match_substring_regex(trimmed, NUMBER), True)
    numbers = pc.if_else(fit, trimmed, None).cast(pa.float64())
    bad = pc.indices_nonzero(pc.invert(fit)).to_pylist()
    # The value itself is not told: it may be private, and reasons go into logs.
    return numbers, [(index, "is no number") for index in bad]


def typed(texts: Any, kind: str) -> tuple[Any, list[tuple[int, str]]]:
    """The texts as an array of one of the types of `TextColumn`, and what does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "text":
        return texts, []
    if kind == "number":
        return numbers_from_texts(texts)
    trimmed = pc.utf8_trim_whitespace(texts)
    if kind == "boolean":
        return pc.utf8_lower(trimmed).cast(pa.bool_()), []
    # A row may hold a text that is no number and will be set aside; it must not stop the cast.
    fit = pc.fill_null(pc.match_substring_regex(trimmed, INTEGER), True)
    return pc.utf8_ltrim(pc.if_else(fit, trimmed, None), "+").cast(pa.int64()), []


def _all(texts: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())
