from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.digest import canonical_json
from mlops_ci.core.strict_json import DEEPEST, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_what_we_write_is_read(value: object) -> None:
    assert parse(canonical_json(value)) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"NaN", "NaN is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b"1e999", "too large"),
        (b"9223372036854775808", "too large"),
        (b"1" * 5000, "too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "the name 'a' twice"),
        (b'{"x": {"a": 1, "a": 1}}', "the name 'a' twice"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 40 + b"]" * 40, f"more than {DEEPEST} levels"),
        (b'"a\nb"', "not JSON"),
    ],
)
def test_what_is_left_open_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(data)


def test_many_names_are_compared_in_no_time() -> None:
    """Of quadratic time this would be minutes."""
    names = [f'"{number}": 0' for number in range(200_000)]
    with pytest.raises(ValueError, match="twice"):
        parse(f"{{{', '.join([*names, names[-1]])}}}".encode())


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == json.loads('"\\ud83d\\ude00"')
