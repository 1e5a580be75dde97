"""CODEOWNERS as GitHub reads it: which pattern matches which file, which line decides, and which are skipped."""

from __future__ import annotations

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core import codeowners
from mlops_ci.core.codeowners import Ownership, matches, owners_of

FILE = "environments/production/tides.yaml"


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        # A name alone is one at any depth, a file or a directory with all that it has.
        ("production", FILE, True),
        ("environments", FILE, True),
        ("tides.yaml", FILE, True),
        ("tides", FILE, False),
        ("Production", FILE, False),
        ("production/", FILE, True),
        ("tides.yaml/", FILE, False),
        ("*", FILE, True),
        ("*.yaml", FILE, True),
        ("t*", FILE, True),
        ("tide?.yaml", FILE, True),
        ("tides?yaml", FILE, True),
        ("production?", FILE, False),
        ("**", FILE, True),
        # With a slash inside, or in front, it begins at the top.
        ("/environments", FILE, True),
        ("/environments/", FILE, True),
        ("/production", FILE, False),
        ("/production/", FILE, False),
        ("production/tides.yaml", FILE, False),
        ("environments/production", FILE, True),
        ("environments/prod", FILE, False),
        ("environments/production/", FILE, True),
        ("environments/production/tides.yaml", FILE, True),
        ("environments/production/*.yaml", FILE, True),
        ("environments/*.yaml", FILE, False),
        ("environments/prod*", FILE, True),
        # A star alone at the end does not reach further down.
        ("/*", FILE, False),
        ("/*", "mlops.yaml", True),
        ("environments/*", FILE, False),
        ("environments/production/*", FILE, True),
        ("environments/*/", FILE, True),
        ("environments/*/tides.yaml", FILE, True),
        ("*/production/*", FILE, True),
        ("/*/", FILE, True),
        # Two stars are any number of directories, none among them; at the end all that is inside.
        ("**/tides.yaml", FILE, True),
        ("**/environments", FILE, True),
        ("environments/**", FILE, True),
        ("environments/**", "environments", False),
        ("environments/**/tides.yaml", FILE, True),
        ("environments/**/production", FILE, True),
        ("environments/production/**/tides.yaml", FILE, True),
        ("environments/**/", FILE, True),
        ("models/**/tides.yaml", FILE, False),
        ("**/**/tides.yaml", FILE, True),
        # A backslash takes the meaning away.
        ("tide\\*.yaml", FILE, False),
        ("tide\\*.yaml", "tide*.yaml", True),
        ("my\\ models/", "my models/tides.yaml", True),
        ("a\\\\b", "a\\b", True),
        # What other notations give a meaning has none here.
        ("tides.{yaml,yml}", FILE, False),
        ("(tides|x).yaml", FILE, False),
        ("tides+.yaml", FILE, False),
        ("/", FILE, False),
        ("//environments", FILE, True),
        ("tides.yaml", "line\nbreak/tides.yaml", True),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("text", "owners", "line"),
    [
        pytest.param("", (), None, id="an empty file"),
        pytest.param("# * @ada\n\n   \n", (), None, id="comments alone"),
        pytest.param("* @ada\n", ("@ada",), 1, id="one owner"),
        pytest.param("* @ada", ("@ada",), 1, id="no line's end"),
        pytest.param("\ufeff* @ada\r\n", ("@ada",), 1, id="as Windows writes it"),
        pytest.param("  *\t@ada   @acme/ml-owners ", ("@ada", "@acme/ml-owners"), 1, id="several, and white space"),
        pytest.param("* ada@example.org", ("ada@example.org",), 1, id="an e-mail address"),
        pytest.param("* @ada # @bob", ("@ada",), 1, id="a comment at the end"),
        pytest.param("* @ada #@bob", ("@ada",), 1, id="a comment without a space"),
        pytest.param("* @ada\n*.yaml @bob\n*.py @eve\n", ("@bob",), 2, id="the last that matches"),
        pytest.param("*.yaml @bob\n* @ada\n", ("@ada",), 2, id="the last, not the narrowest"),
        pytest.param("* @ada\n/environments/\n", (), 2, id="a pattern without owners takes them away"),
        pytest.param("* @ada\n* @bob\n", ("@bob",), 2, id="two lines do not add up"),
        pytest.param("/environments\\ x/ @ada\n", (), None, id="an escaped space is part of the pattern"),
        pytest.param("# ours\u2028* @eve\x0b* @eve\n* @ada", ("@ada",), 2, id="only a line feed ends a line"),
        pytest.param("* @Under_Score", ("@Under_Score",), 1, id="a name of an enterprise"),
    ],
)
def test_owners(text: str, owners: tuple[str, ...], line: int | None) -> None:
    assert owners_of(FILE, text) == Ownership(owners=owners, line=line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("!/environments/ @eve", "negates"),
        ("[ab]* @eve", "brackets"),
        ("[Production] @eve", "sections"),
        ("^[Production][2] @eve", "sections"),
        ("*.ya[m]l @eve", "brackets"),
        ("\\#x @eve", "escapes a #"),
        ("environments/*** @eve", "three asterisks"),
        ("environments\\", "escapes nothing"),
        ("* eve", "eve: neither @user"),
        ("* @eve bob, @x", "bob,: neither"),
        ("* @", "@: neither"),
        ("* @acme/", "@acme/: neither"),
        ("* @acme/ml//deep", "neither"),
        ("* @ev\u0435", "neither"),
        ("* eve@", "neither"),
        ("* @eve\u00a0@bob", "neither"),
    ],
)
def test_a_line_that_is_not_valid_is_skipped_and_named(line: str, says: str) -> None:
    ownership = owners_of(FILE, f"* @ada\n{line}\n")
    assert (ownership.owners, ownership.line) == (("@ada",), 1)
    (skipped,) = ownership.skipped
    assert skipped.startswith("line 2: ")
    assert says in skipped


def test_a_group_of_a_group_is_an_owner_on_gitlab_and_unknown_elsewhere() -> None:
    assert owners_of("a.py", "* @acme/ml/owners @ada.l").owners == ("@acme/ml/owners", "@ada.l")


def test_sections_are_told_of() -> None:
    assert owners_of("a.py", "* @ada\n[ML] @acme/ml\n*.py").sections
    assert not owners_of("a.py", "* @ada\n# [ML]\n").sections


def test_a_comment_that_looks_like_a_section_is_a_comment() -> None:
    assert owners_of(FILE, "# [Production]\n* @ada\n").skipped == ()


@given(st.text(alphabet="*?/\\ #@![]ab.\n\t\u00e9\udc80", max_size=30), st.text(alphabet="ab/.*\n\udc80", max_size=12))
def test_no_text_is_too_strange(text: str, path: str) -> None:
    ownership = owners_of(path, text)
    assert (ownership.line is None) <= (ownership.owners == ())


@given(st.text(alphabet="ab*?", min_size=1, max_size=8).filter(lambda part: "***" not in part and part != "**"),
       st.text(alphabet="ab", min_size=1, max_size=8))  # fmt: skip
def test_one_part_is_a_glob(part: str, name: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(sign, sign) for sign in part)
    assert matches(f"/{part}", name) is (re.fullmatch(expression, name) is not None)


def test_no_pattern_takes_long() -> None:
    """A regular expression would take years over this one."""
    assert not matches("/" + "*a" * 30 + "*b", "a" * 200)


@given(st.lists(st.sampled_from(["*", "/environments/", "*.py", "production", "[x]"]), max_size=6))
def test_the_last_matching_line_alone_decides(patterns: list[str]) -> None:
    text = "".join(f"{pattern} @owner{number}\n" for number, pattern in enumerate(patterns, start=1))
    valid = [number for number, pattern in enumerate(patterns, start=1) if pattern not in ("[x]", "*.py")]
    expected = (f"@owner{valid[-1]}",) if valid else ()
    assert owners_of(FILE, text).owners == expected


def test_examples() -> None:
    result = doctest.testmod(codeowners)
    assert result.attempted
    assert not result.failed
