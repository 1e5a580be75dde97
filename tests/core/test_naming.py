from __future__ import annotations

import pytest

from mlops_ci.core.naming import shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("größe", "größe"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("left\u202eright", "left\\u202eright"),
        ("x" * 10_000, "x" * 80 + "…"),
        (2013, "2013"),
    ],
)
def test_a_name_is_one_short_line_without_commands(name: object, shown: str) -> None:
    assert shown_name(name) == shown
