"""What a release tells people of itself: at its environment's address, and by `serve`."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.repository import Repository, copied

WORDS = """\
card: {description: Is it late?, owners: [ada], limitations: "<b>None</b> known."}
"""
SCHEMA = """\
schema: 1
columns:
  colour: {type: text, nullable: true, categories: [red, blue, green]}
  height: {type: number, nullable: true, min: -1000, max: 1000}
  age: {type: number, nullable: true, private: true, min: -4321, max: 4321}
"""


@pytest.fixture
def released(once_judged: Repository, tmp_path: Path) -> Iterator[tuple[Repository, str]]:
    """A repository with a data schema and words for the card, and the address of its release in qa."""
    repository = copied(once_judged, tmp_path / "team")
    mlops = (repository.folder / "mlops.yaml").read_text()
    if "schema: data.schema.yaml" not in mlops:
        mlops = mlops.replace("data:\n", "data:\n  schema: data.schema.yaml\n", 1)
    repository.write("mlops.yaml", mlops + WORDS)
    repository.write("data.schema.yaml", SCHEMA)
    repository.commit()
    answer = repository.run("release")
    assert answer.code == 0, answer.stderr
    yield repository, answer.value["url"]
    repository.stop_services()


def get(url: str, accept: str = "application/json") -> str:
    request = urllib.request.Request(url, headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=30) as response:
        text: str = response.read().decode()
    return text


def test_the_card_of_a_release_is_told_wherever_it_is_served(released: tuple[Repository, str]) -> None:
    repository, url = released
    card = json.loads(get(f"{url}/model"))

    assert (card["version"], card["verdict"]) == (1, "first")
    assert card["commit"] in repository.git("rev-list", "HEAD").split()
    assert card["card"]["owners"] == ["ada"]
    columns: dict[str, dict[str, Any]] = {column["name"]: column for column in card["columns"]}
    assert columns["colour"]["categories"] == ["red", "blue", "green"]
    assert (columns["height"]["min"], columns["height"]["max"]) == (-1000, 1000)
    assert columns["age"]["min"] is None
    everything = "".join(get(f"{url}{path}", "text/html") for path in ("/", "/model", "/openapi.json"))
    assert "4321" not in everything
    assert "&lt;b&gt;None&lt;/b&gt; known." in everything
    assert '<option value="&quot;red&quot;"' in everything

    process = repository.start("serve", "--port", "0")
    assert process.stderr is not None
    address = next(found[1] for line in process.stderr if (found := re.search(r"serving .* at (\S+)", line)))
    again = json.loads(get(f"http://{address}/model"))
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert again == card
