"""Strict reading: what is survived is found with its line, what is not is refused with its line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.config.reader import parse, read
from mlops_ci.errors import ConfigurationError, Problem

# A billion laughs: nine lines that expand to a billion items in a reader that follows aliases.
LAUGHS = "a: &a [lol, lol]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))


def test_values_lines_and_spelling() -> None:
    text = "# a comment\nb: {x: 3.10, 'y': \"3.10\"}\na:\n  - 1\n  -\n    on: yes\n\nlong: >\n  two\n  lines\n"
    document = read(text.encode(), "mlops.yaml")
    assert document.value == {"b": {"x": 3.1, "y": "3.10"}, "a": [1, {"on": "yes"}], "long": "two lines\n"}
    assert list(document.value) == ["b", "a", "long"], "the order of the file"
    assert document.lines == {
        (): 2,
        ("b",): 2,
        ("b", "x"): 2,
        ("b", "y"): 2,
        ("a",): 3,
        ("a", 0): 4,
        ("a", 1): 6,
        ("a", 1, "on"): 6,
        ("long",): 8,
    }
    assert document.plain == {("b", "x"): "3.10", ("a", 0): "1", ("a", 1, "on"): "yes"}
    assert document.line(("a", 1, "absent", "further")) == 6


def test_keys_are_texts_as_written() -> None:
    assert read(b"1: a\n2.50: b\non: c\n2024-01-31: d\n", "f.yaml").value == {
        "1": "a",
        "2.50": "b",
        "on": "c",
        "2024-01-31": "d",
    }


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    document = read(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "mlops.yaml")
    assert (document.value, document.line(("b",))) == ({"a": 1, "b": "x"}, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "a: 1\nb: 2\n'a': 3\na: 4\n",
            [
                "f.yaml:3: key 'a' is written twice at the top level, first on line 1",
                "f.yaml:4: key 'a' is written twice at the top level, first on line 1",
            ],
        ),
        ("a:\n  b: {c: 1,\n    c: 2}\n", ["f.yaml:3: key 'c' is written twice in a.b, first on line 2"]),
        ("1: a\n'1': b\n", ["f.yaml:2: key '1' is written twice at the top level, first on line 1"]),
        (
            "a: &x [1]\nb: *x\n",
            ["f.yaml:1: anchors (`&x`) are not supported", "f.yaml:2: aliases (`*x`) are not supported"],
        ),
        ("a: [*x, *x]\n", ["f.yaml:1: aliases (`*x`) are not supported"]),
        ("a: {}\n<<: {b: 1}\n", ["f.yaml:2: merge keys (`<<`) are not supported"]),
        ("'<<': 1\n", []),
        ("a: !!str 3.10\n", ["f.yaml:1: tags ('tag:yaml.org,2002:str') are not supported"]),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            ["f.yaml:1: tags ('tag:yaml.org,2002:python/object/apply:os.system') are not supported"],
        ),
        ("a: {b: 1, ? }\n", ["f.yaml:1: a key is missing in a"]),
        ("a:\n- .inf\n", ["f.yaml:2: a[0]: '.inf' is not a finite number"]),
        ("a: 1e999\n", ["f.yaml:1: a: '1e999' is too large for a number"]),
        ('a: "\\0"\n', ["f.yaml:1: '\\x00' holds a control character"]),
        ('"\\e": 1\n', ["f.yaml:1: '\\x1b' holds a control character"]),
    ],
)
def test_what_is_survived_is_found_all_at_once(text: str, found: list[str]) -> None:
    document = parse(text.encode(), "f.yaml")
    assert [f"{each.where}: {each.what}" for each in document.problems(document.findings)] == found
    assert all(each.fix for each in document.findings)
    if found:
        with pytest.raises(ConfigurationError) as caught:
            read(text.encode(), "f.yaml")
        assert len(caught.value.problems) == len(found)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "f.yaml:1: the file is empty"),
        (b"# only a comment\n", "f.yaml:1: the file is empty"),
        (b"---\n", "f.yaml:1: the file is empty"),
        (b"\n- a\n- b\n", "f.yaml:2: the top level is not a mapping"),
        (b"just text", "f.yaml:1: the top level is not a mapping"),
        (b"a: 1\n---\nb: 1\n", "f.yaml:2: a second document begins"),
        (b"a:\n\tb: 1\n", "f.yaml:2: not valid YAML: found character that cannot start any token"),
        (b"a: 1\nb: \xff\n", "f.yaml:2: byte 0xff is not UTF-8"),
        ("a: é\n".encode("latin-1"), "f.yaml:1: byte 0xe9 is not UTF-8"),
        ("a: 1\n".encode("utf-16"), "f.yaml:1: the file is not UTF-8 but UTF-16 or UTF-32"),
        (b"a: 1\nb: \x01\n", "f.yaml:2: the file holds a control character"),
        (b"a: 1 # " + b"x" * 1_000_000, "f.yaml:1: the file is larger than 1 MB"),
        (b"a: " + b"[" * 500_000, "f.yaml:1: the nesting is deeper than 50 levels"),
        (b"a:\n  " + b"- " * 60 + b"1\n", "f.yaml:2: the nesting is deeper than 50 levels"),
        (b"a: 1\n? [b]\n: c\n", "f.yaml:2: a mapping or list is used as a key"),
        (b"a: b: c\n", "f.yaml:1: not valid YAML: mapping values are not allowed in this context"),
        (b"x: 0\na: [1,\nb: 2\n", "f.yaml:2: not valid YAML: did not find expected ',' or ']'"),
        (b"a: 'x\n", "f.yaml:1: not valid YAML: found unexpected end of stream"),
        (b"a: @x\n", "f.yaml:1: not valid YAML: found character that cannot start any token"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(data, "f.yaml")
    (found,) = caught.value.problems
    assert f"{found.where}: {found.what}" == problem
    assert found.fix


def test_a_tab_is_called_a_tab() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(b"a:\n\tb: 1\n", "f.yaml")
    assert caught.value.problems[0].fix == "indent with spaces, not with tabs"


def test_aliases_cannot_multiply() -> None:
    document = parse(LAUGHS.encode(), "f.yaml")
    assert len(document.plain) == 2
    assert len(document.findings) == 9 + 8 * 9


def test_the_deepest_nesting_that_is_allowed() -> None:
    value = read(b"a: " + b"[" * 49 + b"]" * 49, "f.yaml").value["a"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 48, "49 lists within the top level's mapping, the innermost empty"


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet="a1:-?[]{},&*!|>'\"%@#~.<\\\t\n ").map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    refused: tuple[Problem, ...] = ()
    lines: set[int] = set()
    try:
        lines = set(parse(data, "f.yaml").lines.values())
    except ConfigurationError as error:
        refused = error.problems
    assert bool(refused) != bool(lines), "it is either read, and then its top level has a line, or refused"
    assert all(each.fix for each in refused)
    lines |= {int(each.where.removeprefix("f.yaml:")) for each in refused}
    assert all(1 <= line <= data.count(b"\n") + len(data.decode(errors="replace").splitlines()) + 1 for line in lines)
