"""Reports compared whole with golden files, held against hostile text, and kept within what a comment may hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from mlops_ci.pipeline import report as report_module
from mlops_ci.pipeline.evaluation_view import View
from mlops_ci.pipeline.report import COMMENT_LIMIT, render
from tests.pipeline import report_examples as examples
from tests.pipeline.github_markdown import github_html
from tests.pipeline.regenerate_report import COMMAND, FILES, GOLDEN

VOID = {"meta", "img", "link", "br", "hr", "input", "source", "base", "embed", "area", "col", "track", "wbr"}
SVG_ALONE = {"path", "use", "rect", "line", "circle"}


@pytest.mark.parametrize("name", FILES)
def test_reports_are_the_golden_ones(name: str) -> None:
    expected = (GOLDEN / name).read_text(encoding="utf-8")
    assert FILES[name]() == expected, f"if the change is meant: {COMMAND}"


def test_there_is_no_golden_file_that_nothing_is_compared_with() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(FILES)


class Page(HTMLParser):
    """Checks that elements nest, and collects elements, attributes, ids and what is read as text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_ALONE, f"<{tag}/> is not closed in HTML"
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    def values(self, attribute: str) -> list[str]:
        return [value for name, value in self.attributes if name == attribute]


@pytest.fixture(scope="module")
def page() -> str:
    return render([examples.superior(), examples.blocked(model="b"), examples.loss()], title="Three").html


def test_the_page_is_well_formed_and_its_ids_are_its_own(page: str) -> None:
    parsed = Page(page)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    targets = [value[1:] for name, value in parsed.attributes if name in {"href", "xlink:href"}]
    targets += re.findall(r"url\(#([^)]+)\)", page) + " ".join(parsed.values("aria-labelledby")).split()
    assert set(targets) <= set(ids)


def test_the_page_needs_no_other_host_and_no_script(page: str) -> None:
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base", "form"} & set(parsed.elements)
    addresses = set(re.findall(r"\b[a-z]+://[^\s\"'<>)]+", page))
    assert addresses == {"http://www.w3.org/1999/xlink"}  # a name, not an address
    assert "@import" not in page
    assert all(value.startswith("#") for value in parsed.values("href") + parsed.values("xlink:href"))
    (policy,) = [value for value in parsed.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")


def test_plots_follow_the_colours_of_the_page(page: str) -> None:
    plots = re.findall(r'<svg class="plot".*?</svg>', page, flags=re.DOTALL)
    assert len(plots) == 4 + 4 + 2
    for plot in plots:
        assert re.findall(r"#[0-9a-f]{3,8}(?=[;\"'\s])", plot) == []
        assert "var(--ink)" in plot
        assert "<style" not in plot
        assert plot.startswith("<svg ")
        assert 'role="img" aria-labelledby=' in plot
    defined = set(re.findall(r"(--[a-z-]+):", page))
    assert set(re.findall(r"var\((--[a-z-]+)\)", page)) <= defined


def test_light_and_dark_define_the_same_colours(page: str) -> None:
    light, dark = (set(re.findall(r"(--[a-z-]+):", block)) for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL))
    assert dark == light - {"--sans", "--mono"}


def test_the_same_evaluations_give_the_same_bytes() -> None:
    assert render([examples.superior()], title="x") == render([examples.superior()], title="x")


ALLOWED = {
    "h2",
    "h3",
    "p",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "ul",
    "li",
    "sub",
    "code",
}


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    report = render([examples.hostile(text), examples.superior()], title=text)
    plain = render([examples.hostile("x"), examples.superior()], title="x")

    page, innocent = Page(report.html), Page(plain.html)
    assert page.elements == innocent.elements
    assert {name for name, _ in page.attributes} == {name for name, _ in innocent.attributes}
    assert page.values("href") == innocent.values("href")

    # GitHub's own parser, with raw HTML let through, as the toolkit's own <details> have to be
    html = github_html(report.markdown)
    rendered, ordinary = (
        Page(html),
        Page(github_html(plain.markdown)),
    )
    assert set(rendered.elements) <= ALLOWED
    assert rendered.elements == ordinary.elements
    for words in (report.markdown, "".join(page.texts)):
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\ud800-\udfff]", words)
    read = "".join(rendered.texts)
    assert not re.search(r"@\w|\w://|www\.|(?<!&)#\w|\bGH-\d", read)


def test_hostile_text_can_still_be_read() -> None:
    text = "a|b <i> `c` [d](e) &lt; _f_ $g$"
    report = render([examples.hostile(text)], title="x")
    html = github_html(report.markdown)
    assert text in "".join(Page(html).texts)
    assert text in "".join(Page(report.html).texts)


def test_a_very_long_reason_is_cut_and_says_so() -> None:
    evaluation = examples.blocked(reasons=["guardrail: " + "word " * 25_000])
    assert len(render([evaluation], title="x").markdown) < 5000
    assert "…" in render([evaluation], title="x").markdown


@pytest.mark.parametrize("models", [2, 40, 300, 1000])
def test_many_models_fit_into_a_comment_and_what_is_left_out_is_named(models: int) -> None:
    evaluations = [examples.superior(model=f"model-{number:04}", curves={}) for number in range(models - 1)]
    markdown = render([*evaluations, examples.blocked(model="zzz", curves={})], title="Many").markdown

    assert len(markdown) <= COMMENT_LIMIT
    assert f"{models} models were judged: {models - 1} may ship; 1 is blocked." in markdown
    assert markdown.index("| zzz | ⛔ Blocked") < markdown.index("| model-0000 |")
    rows, details = len(re.findall(r"^\| (?:model-|zzz)", markdown, re.MULTILINE)), markdown.count("\n### ")
    assert details >= min(models, 15) or rows < models
    assert ("have details below" in markdown or "has details below" in markdown) is (
        details < rows and details > 0
    ) or ("No model has details below" in markdown)
    if rows < models:
        assert f"**{models - rows} more models are not in this table**" in markdown
        assert f"({models - rows} superior)" in markdown


def test_the_page_leaves_no_model_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "PLOTTED_MODELS", 2)
    models = 7
    page = render([examples.superior(model=f"model-{number:03}") for number in range(models)], title="Many").html
    assert page.count('<section class="card" id="model-') == models
    assert len(re.findall(r'<svg class="plot"', page)) == 4 * 2
    assert "Curves are drawn for the first 2 models" in page


def test_many_slices_and_changes_are_cut_in_the_comment_and_whole_in_the_page() -> None:
    slices = [examples.one_slice(f"s{number:03}", 0.001 * number) for number in range(200)]
    slices += [examples.one_slice("bad", -0.06, verdict="slice-regression")]
    report = render(
        [examples.superior(slices=slices, changes=[f"code f{number}.py" for number in range(50)])], title="x"
    )
    assert "181 more, 0 of them not fine, are in `report.html`" in report.markdown
    assert "and 35 more, all of them in `report.html`" in report.markdown
    assert report.markdown.index("carrier = bad") < report.markdown.index("carrier = s000")
    assert "carrier = s199" in report.html
    assert "<code>f49.py</code>" in report.html


def test_a_comment_that_cannot_hold_even_one_model_says_where_it_is() -> None:
    markdown = render([examples.superior()], title="x", limit=600).markdown
    assert len(markdown) <= 600
    assert "do not fit into a comment; they are in `report.html`" in markdown


def test_slices_of_private_columns_have_no_names() -> None:
    evaluation = examples.blocked(
        private=["diagnosis"],
        slices=[
            examples.one_slice("HIV", -0.06, verdict="slice-regression", by="diagnosis"),
            examples.one_slice("flu", 0.01, by="diagnosis"),
            examples.one_slice("UA", 0.01),
        ],
        reasons=[
            "slice-regression: diagnosis HIV: roc_auc goes down",
            "slice-regression: carrier UA: roc_auc goes down",
        ],
    )
    report = render([evaluation], title="x")
    for text in (report.markdown, report.html):
        assert "HIV" not in text
        assert "flu" not in text
        assert "diagnosis (private 1): roc_auc goes down" in text
        assert "carrier UA: roc_auc goes down" in text


def test_what_an_evaluation_need_not_have() -> None:
    evaluation = examples.superior()
    for name in ("curves", "parity", "changes", "rows", "lock", "commit", "champion_release", "champion_version",
                 "seconds", "notes", "metrics", "private", "fairness", "waived", "measures"):  # fmt: skip
        del evaluation[name]
    report = render([evaluation], title="x")
    assert "Better than what serves in production" in report.markdown
    assert "Better than what serves in production" in report.html


def test_the_interval_line_puts_zero_in_the_middle_and_better_to_the_right() -> None:
    at = View.of(examples.superior(), number=1).interval(width=200)
    assert at is not None
    assert at["zero"] == 100
    assert at["margin"] < at["zero"] < at["lower"] < at["point"] < at["upper"] <= 200
    worse = View.of(examples.compared("inferior", -0.02, -0.03, -0.01), number=1).interval(width=200)
    assert worse is not None
    assert 0 <= worse["lower"] < worse["point"] < worse["upper"] < worse["zero"]
    assert View.of(examples.first(), number=1).interval() is None


def test_multiclass_models_show_their_confusion_matrix() -> None:
    confusion = {"labels": ["cat", "dog", "47 other classes"], "counts": [[50, 2, 1], [3, 40, 0], [0, 1, 3]]}
    bins = [{"predicted": 0.5, "observed": 0.6, "lower": 0.4, "upper": 0.7, "rows": 50}]
    curve = {
        "task": "multiclass-classification",
        "rows": 100,
        "dropped": 0,
        "confusion": confusion,
        "calibration": bins,
    }
    page = render([examples.superior(curves={"champion": curve, "challenger": curve})], title="x").html
    assert page.count('<table class="matrix">') == 2
    assert '<td class="hit" style="--share: 0.943">50</td>' in page
    assert page.count('<svg class="plot"') == 1


def test_a_model_that_could_not_be_judged_is_in_the_report_with_all_its_problems() -> None:
    many = [{"where": f"f.csv line {n}", "what": "is bad", "fix": "", "name": "null"} for n in range(40)]
    broken = examples.gate_closed(model="broken", data={"problems": many})
    report = render([examples.superior(), broken], title="Two")
    assert "1 may ship; 1 could not be judged." in report.markdown
    assert report.markdown.index("| broken | ⛔ Failed | data gate") < report.markdown.index("| flight-delay |")
    assert "and 30 more, all of them in `report.html`" in report.markdown
    assert report.html.count("is bad") == 40


def test_all_that_an_evaluation_can_hold_is_in_the_page() -> None:
    page = "".join(Page(render([examples.complete()], title="x").html).texts)
    for text in ("new-carriers", "selection_rate", "Learning curve", "Importance of all 12 features", "pressure",
                 "Mean |SHAP|", "0.071", "The search for parameters: 12 tried", "at thresholds of its trees",
                 "Ordering of rebooking offers", "missing-rate", "0.742 (0.733 to 0.751)", "0.117 ms"):  # fmt: skip
        assert text.lower() in page.lower(), text


def test_groups_of_private_columns_have_no_names() -> None:
    report = render([examples.complete(private=["sex"])], title="x")
    for text in (report.markdown, report.html):
        assert "(private 1)" in text
        assert not re.search(r"<td[^>]*>f</td>|\| f \|", text)


def test_a_limit_that_is_left_to_the_release_is_not_said_to_be_kept() -> None:
    open_limit = examples.limit("image_mb", None, 250, verdict="at-release") | {"ok": True}
    reports = render([examples.superior(guardrails=[open_limit])], title="Models")
    (line,) = [line for line in reports.markdown.splitlines() if "Image size" in line]
    assert "at release" in line
    assert "kept" not in line
    assert "judged at release" in reports.html
