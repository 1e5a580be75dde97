"""Escaped text is read by GitHub's own parser as the very text that it was."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.pipeline.markdown import BREAK, Markdown, escaped, visible
from tests.pipeline.github_markdown import github_html


def read(markdown: str) -> str:
    """The text of the one paragraph or cell that this Markdown makes; it fails if it makes anything else."""
    rendered = github_html(markdown)
    found = re.fullmatch(r"<p>([^<]*)</p>\n", rendered, flags=re.DOTALL)
    assert found, rendered
    return html.unescape(found[1]).replace(BREAK, "")


SPECIAL = [
    *("- a", "+ a", "* a", "1. a", "12) a", "---", "===", "# a", "> a", "~~~", "```", "_a_ a_b __c__", "a\\", "\\|"),
    *("&#64;", "&amp;", "![a](b)", "[a]: b", "<!-- a", "a <b>", "$a$", "| a | b |", "a@b.example", "-", "+1", "-1.5"),
    *("1.5", "a  b"),
]


@pytest.mark.parametrize("text", SPECIAL)
def test_what_means_something_in_markdown_is_read_as_it_was_written(text: str) -> None:
    assert read(escaped(text)) == " ".join(text.split())


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1 \\`*_{}[]<>()#+-.!|~$@:/&;=\"'w\n\t\u202e\u200b"), max_size=30))
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    shown = visible(text)
    if shown.strip():
        assert read(escaped(text)) == shown.strip()
        cells = github_html(f"| a | b |\n|---|---|\n| {escaped(text)} | end |\n")
        found = re.findall(r"<td>(.*?)</td>", cells, flags=re.DOTALL)
        assert len(found) == 2
        assert html.unescape(found[0]).replace(BREAK, "") == shown.strip()


def test_nothing_is_escaped_twice() -> None:
    assert escaped(escaped("a|b")) == "a\\|b"
    assert escaped(Markdown("**ours**")) == "**ours**"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert visible("abcdef", longest=3) == "abc…"
    assert visible("abc", longest=3) == "abc"
    assert visible(" " * 100 + "abc", longest=3) == "…"


@pytest.mark.parametrize(
    "text", ["@ada", "@acme/team", "#12", "acme/app#12", "GH-12", "https://x.example", "www.x.example"]
)
def test_nobody_is_mentioned_and_nothing_is_linked(text: str) -> None:
    assert not re.search(r"@\w|#\d|GH-|://|www\.", escaped(text))
