"""The pages for people: what is in them, and what they do in a real browser, alone and below another path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from mlops_ci.core.records import CARD_FILE
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.card import read_card
from mlops_ci.scoring.page import CONTENT_SECURITY, form_page, model_page
from tests.scoring.browser import DESK, PHONE, Browser, browser
from tests.scoring.cards import COLUMNS, HOSTILE, card_json, card_of
from tests.scoring.prefix import below
from tests.scoring.serving import Served, served
from tests.scoring.tiny_models import binary

ABOUT = {"model": "delay", "version": 3, "release": "ab" * 32, "task": "binary-classification"}


class Elements(HTMLParser):
    """All start tags with their attributes, and the text between them, as a browser would understand them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_form_has_a_field_for_every_column() -> None:
    page = Elements(form_page(card_of(binary()), ABOUT))

    assert [field["data-column"] for field in page.all("input")] == ["distance", "hour"]
    assert [field["data-column"] for field in page.all("select")] == ["carrier"]
    assert [option["value"] for option in page.all("option")] == ["", '"UA"', '"AA"']
    assert [field["value"] for field in page.all("input")] == ["80", "5"]
    labels = {label["for"] for label in page.all("label")}
    assert labels == {field["id"] for tag in ("input", "select") for field in page.all(tag)}
    assert "whole number, 5 to 23, never missing in training" in page.text


def test_many_categories_are_suggestions() -> None:
    many = [{**COLUMNS[2], "categories": [f"c{number}" for number in range(101)]}]
    page = Elements(form_page(card_of(binary(), columns=COLUMNS[:2] + many), ABOUT))

    assert len(page.all("datalist")) == 1
    assert page.all("input")[2]["list"] == page.all("datalist")[0]["id"]
    assert not page.all("select")


def test_a_model_without_a_card_has_both_pages() -> None:
    card = read_card(None, binary().signature)

    assert len(Elements(form_page(card, ABOUT)).all("input")) == 3
    assert "distance" in model_page({**card.to_json(), **ABOUT})


def test_whatever_names_and_words_hold_is_shown_as_text() -> None:
    signature = Signature(task="regression", inputs=(Column(name=HOSTILE, kind="text"),))
    column = {"name": HOSTILE, "type": "category", "nullable": True, "categories": [HOSTILE], "min": None, "max": None}
    words = {"description": HOSTILE, "owners": [HOSTILE], "params": {HOSTILE: HOSTILE}}
    slices = [{"by": HOSTILE, "slice": HOSTILE, "metric": HOSTILE, "value": HOSTILE, "ok": HOSTILE}]
    facts = card_json(columns=[column], card=words, slices=slices, metrics=[{"name": HOSTILE, "value": HOSTILE}])
    card = read_card(json.dumps(facts).encode(), signature)
    about = {**ABOUT, "model": HOSTILE, "release": HOSTILE, "task": HOSTILE}

    for page in (form_page(card, about), model_page({**card.to_json(), **about})):
        elements = Elements(page)
        assert len(elements.all("script")) == len(elements.all("style")) == 1
        assert not elements.all("img")
        assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
        assert HOSTILE in elements.text
    assert Elements(form_page(card, about)).all("select")[0]["data-column"] == HOSTILE


def test_a_page_refers_to_nothing_but_what_lies_beside_it() -> None:
    for page in (form_page(card_of(binary()), ABOUT), model_page({**card_json(), **ABOUT})):
        links = [
            value
            for _, attributes in Elements(page).tags
            for name in ("src", "href")
            if (value := attributes.get(name))
        ]
        assert {link for link in links if not re.fullmatch(r"[a-z.]+|\./|data:,", link)} == set()
        assert " style=" not in page
    assert CONTENT_SECURITY.startswith("default-src 'none';")
    assert "unsafe" not in CONTENT_SECURITY


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    files = {CARD_FILE: json.dumps(card_json()).encode()}
    with served(binary(), tmp_path_factory.mktemp("service"), files=files) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


def scored(page: Browser) -> str:
    page.until("document.querySelector('#answer .label')")
    return str(page.run("document.querySelector('#answer .label').textContent"))


def test_a_record_is_scored_by_keyboard(service: Served, page: Browser) -> None:
    page.screen(DESK, "light")
    page.open(f"{service.url}/")
    page.run("document.getElementById('clear').click()")
    assert page.run("document.activeElement.dataset.column") == "distance"
    for text in ("900", "8"):
        page.type(text)
        page.press("Tab", 9)
    page.press("U", 85, "U")  # chooses by the first letter
    page.press("Tab", 9)
    page.press("Enter", 13, "\r")

    answer = service.post("/score", [{"distance": 900, "hour": 8, "carrier": "UA"}]).json["predictions"][0]
    assert scored(page) == str(answer["label"])
    assert page.run("[...document.querySelectorAll('meter')].map(meter => meter.value)") == pytest.approx(
        list(answer["probabilities"].values())
    )
    assert '"distance":900,"hour":8,"carrier":"UA"' in page.run("document.querySelector('#answer pre').textContent")
    assert not page.trouble


def test_missing_values_are_left_empty(service: Served, page: Browser) -> None:
    page.open(f"{service.url}/")
    page.run("document.getElementById('clear').click()")
    page.run("document.querySelector('[type=submit]').click()")

    scored(page)
    sent = page.run("document.querySelector('#answer pre').textContent")
    assert '{"distance":null,"hour":null,"carrier":null}' in sent


def test_problems_are_shown_at_their_fields(service: Served, page: Browser) -> None:
    page.open(f"{service.url}/")
    page.run("document.getElementById('f1').value = 'noon'")
    page.run("document.querySelector('[type=submit]').click()")
    page.until("document.getElementById('p1').textContent")

    assert page.run("document.getElementById('p1').textContent") == "has to be a number or null, not a text"
    assert page.run("document.activeElement.id") == "f1"
    assert page.run("document.getElementById('f1').getAttribute('aria-invalid')") == "true"
    assert page.run("document.getElementById('p0').hidden")
    page.run("document.getElementById('f1').value = '12'")
    page.run("document.querySelector('[type=submit]').click()")
    scored(page)
    assert page.run("document.getElementById('p1').hidden")
    page.trouble.clear()  # the browser reports the status 422


@pytest.mark.parametrize("address", ["/production/delay", "/production/delay/"])
def test_below_a_path_everything_stays_below_it(service: Served, page: Browser, address: str) -> None:
    with below("/production/delay", service.port) as (url, asked):
        page.open(f"{url}{address}")
        page.run("document.querySelector('[type=submit]').click()")
        scored(page)
        page.open(page.run("document.querySelector('nav a').href"))
        assert "Late or not." in page.run("document.querySelector('dl').textContent")
        page.open(page.run("document.querySelector('nav a').href"))
        page.run("document.querySelector('[type=submit]').click()")
        scored(page)
    assert asked.count("/production/delay/score") == 2
    assert all(path.startswith("/production/delay") for path in asked)
    assert not page.trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/model"])
def test_a_page_is_readable_on_a_phone_in_light_and_dark(
    service: Served, page: Browser, scheme: str, path: str
) -> None:
    page.screen(PHONE, scheme)
    page.open(f"{service.url}{path}")

    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert contrast(page, "h1") > 12
    assert contrast(page, "nav a") > 4.5
    if path == "/":
        assert contrast(page, "small") > 4.5
        assert contrast(page, "[type=submit]") > 4.5
    assert not page.trouble


def contrast(page: Browser, selector: str) -> float:
    """The contrast ratio of an element's text with its ground, as WCAG 2.2 defines it."""
    script = f"""(() => {{
        const style = (one) => getComputedStyle(one);
        const element = document.querySelector({json.dumps(selector)});
        let ground = element;
        while (style(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
        return [style(element).color, style(ground).backgroundColor];
    }})()"""
    some, others = (luminance(colour) for colour in page.run(script))
    return (max(some, others) + 0.05) / (min(some, others) + 0.05)


def luminance(colour: str) -> float:
    parts: list[Any] = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)
