"""One line of a file that belongs to people."""

from __future__ import annotations

import pytest

from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.desired_state import edit, parse_release

A, B = "a" * 64, "b" * 64


def changed(before: bytes, release: str | None = B) -> bytes:
    return edit(before, environment="qa", model="m", release=release, version=2 if release else None)


def test_a_new_file_says_what_it_is_for() -> None:
    text = edit(None, environment="qa", model="m", release=A, version=1).decode()
    assert text.startswith("# What the environment qa is to serve of m.")
    assert parse_release(text, where="f") == A


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "line", [f"release: {A}  # version 1", f'release: "{A}"', f"release:\t{A}", "release:", "release: # none"]
)
def test_only_the_one_line_changes(line: str, end: str) -> None:
    lines = ["# ours", "model: m", line, "note: |", "  release: of what", "# naïve"]
    before = end.join(lines).encode() + b"\xff"
    expected = end.join([*lines[:2], f"release: {B}  # version 2", *lines[3:]]).encode() + b"\xff"
    assert changed(before) == expected
    assert parse_release(expected.decode(errors="replace"), where="f") == B


def test_naming_none_keeps_the_line() -> None:
    after = changed(f"model: m\nrelease: {A}\n".encode(), None)
    assert after == b"model: m\nrelease:\n"
    assert parse_release(after.decode(), where="f") == ""


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("model: m\n", "exactly one line `release: <id>`, has 0"),
        (f"release: {A}\nrelease: {B}\n", "has 2"),
        ("model: m\nrelease: latest\n", "'latest' is no release id"),
        (f"release: {A[:12]}\n", "64 hexadecimal digits"),
        (f"release: {A.upper()}\n", "is no release id"),
    ],
)
def test_what_names_no_release_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        parse_release(text, where="f")
    with pytest.raises(ConfigurationError, match=what):
        changed(text.encode())
