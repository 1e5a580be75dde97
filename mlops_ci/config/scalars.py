"""What a scalar written without quotes means: YAML 1.2, with everything ambiguous left as text."""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

_CONSTANTS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MEANT_AS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_BASED = re.compile(r"[-+]?0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)")
_DIGITS = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?")
_LONGEST_INTEGER = 20
_LARGEST_INTEGER = 2**63 - 1


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Raises ValueError for a number that JSON and 64 bits cannot carry.

    >>> [resolve(text) for text in ("3.10", "1e-5", "true", "~")]
    [3.1, 1e-05, True, None]
    >>> [resolve(text) for text in ("012", "yes", "1:30", "2024-01-31", "True")]
    ['012', 'yes', '1:30', '2024-01-31', 'True']
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        # The length is looked at first: Python itself refuses to convert thousands of digits.
        if len(text) > _LONGEST_INTEGER or abs(int(text)) > _LARGEST_INTEGER:
            raise ValueError("is too large for a whole number of 64 bits")
        return int(text)
    if _FLOAT.fullmatch(text):
        if not math.isfinite(number := float(text)):
            raise ValueError("is too large for a number")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("is not a finite number")
    return text


def meant(text: str) -> str | None:
    """What the writer of a plain text probably meant by it, where other YAML readers see a boolean or a number.

    >>> [meant(text) for text in ("yes", "False", "012", "1_000", "0x1F", "gini", "2024-01-31")]
    ['true', 'false', '12', '1000', '31', None, None]
    """
    lower = text.lower()
    if lower in ("true", "false"):
        return lower
    if lower in _MEANT_AS:
        return _MEANT_AS[lower]
    if _BASED.fullmatch(text):
        return str(int(text, base=0))
    if _DIGITS.fullmatch(text):
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text.removeprefix("+"))
        whole, point, rest = digits.replace("_", "").partition(".")
        return f"{sign}{whole.lstrip('0') or '0'}{point}{rest}"
    return None
