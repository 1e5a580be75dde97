"""What a plain scalar means: only what every reader of YAML agrees upon is anything but text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.config.scalars import meant, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("9223372036854775807", 2**63 - 1),
        ("3.10", 3.1),
        ("1.0e-5", 1e-5),
        # PyYAML reads this one as text
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.5E+3", -500.0),
    ],
)
def test_constants_and_numbers(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "no", "on", "off", "y", "n", "Yes", "NO", "True", "FALSE", "Null", "NULL"),
        *("012", "-012", "0o14", "0x1F", "0b11", "1_000", "1:30", "12:30:45", "1.2.3", "1e", "e5", ".", "-", "+"),
        *("2024-01-31", "2024-01-31T10:00:00Z", "=", "<<", "inf", "nan", "Infinity", "\uff11\uff12"),
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (".nan", "is not a finite number"),
        ("-.inf", "is not a finite number"),
        ("1e999", "is too large for a number"),
        ("9223372036854775808", "is too large for a whole number of 64 bits"),
        ("9" * 5000, "is too large for a whole number of 64 bits"),
    ],
)
def test_numbers_that_nothing_can_carry_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        *[("yes", "true"), ("On", "true"), ("TRUE", "true"), ("no", "false"), ("OFF", "false"), ("False", "false")],
        *[("012", "12"), ("-007", "-7"), ("000", "0"), ("0x1F", "31"), ("0o14", "12"), ("-0b11", "-3")],
        *[("1_000", "1000"), ("1_000.5", "1000.5"), ("01.50", "1.50")],
        *[("gini", None), ("2024-01-31", None), ("12:30", None), ("n", None), ("", None)],
    ],
)
def test_what_a_text_was_meant_to_be(text: str, better: str | None) -> None:
    assert meant(text) == better


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_number_that_python_writes_is_read_back(number: float) -> None:
    assert resolve(repr(number)) == number


@given(st.text())
def test_a_number_is_always_finite_and_what_was_meant_is_a_number_or_boolean(text: str) -> None:
    try:
        value = resolve(text)
    except ValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)
    better = meant(text)
    assert better is None or len(better) > 18 or not isinstance(resolve(better), str | None)
