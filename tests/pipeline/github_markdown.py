"""Markdown as GitHub's own parser reads it."""

from __future__ import annotations

import pytest


def github_html(markdown: str) -> str:
    """The page that cmark-gfm makes of it, with raw HTML let through, as the toolkit's own <details> have to be."""
    cmarkgfm = pytest.importorskip("cmarkgfm", reason="GitHub's Markdown parser (pip install cmarkgfm) is not here")
    options = pytest.importorskip("cmarkgfm.cmark").Options
    html: str = cmarkgfm.github_flavored_markdown_to_html(markdown, options=options.CMARK_OPT_UNSAFE)
    return html
