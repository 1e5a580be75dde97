"""What a person reads about each kind of mistake, whole, from `golden/messages.txt`: an edit of a valid file, and its
problems. `python -m tests.config.test_explaining` writes the problems anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.errors import ConfigurationError

GOLDEN = Path(__file__).parent / "golden" / "messages.txt"
MINIMAL = """\
schema: 1
model: flight-delay
task: binary-classification
data:
  source: data/flights.parquet
  target: late
train:
  entrypoint: train:build_model
"""


def cases() -> list[tuple[str, str, str]]:
    """Each case's edit (`append`, or `instead of` a line), its lines, and the problems that they give."""
    found = []
    for block in GOLDEN.read_text("utf-8").removeprefix("## ").split("\n\n## "):
        edit, _, rest = block.partition("\n")
        lines, _, problems = rest.partition("## gives\n")
        found.append((edit, lines, problems.rstrip("\n")))
    return found


def edited(edit: str, lines: str) -> str:
    if edit == "append":
        return MINIMAL + lines
    rows = MINIMAL.splitlines(keepends=True)
    (place,) = [number for number, row in enumerate(rows) if row.strip() == edit.removeprefix("instead of ")]
    return "".join([*rows[:place], lines, *rows[place + 1 :]])


def problems_of(text: str, folder: Path) -> str:
    path = folder / "mlops.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path)
    except ConfigurationError as error:
        return "\n".join(map(str, error.problems))
    return ""


@pytest.mark.parametrize(("edit", "lines", "problems"), cases())
def test_problems_are_put_in_words(edit: str, lines: str, problems: str, tmp_path: Path) -> None:
    assert problems, "a case without a problem tests nothing"
    assert problems_of(edited(edit, lines), tmp_path) == problems, "to accept: python -m tests.config.test_explaining"


def test_every_keyword_of_the_schemas_that_can_fail_has_words() -> None:
    from mlops_ci.config.explaining import _WORDS
    from mlops_ci.config.validation import DATA_SCHEMA, MODEL_SCHEMA, schema_of

    silent = {"$schema", "$id", "$defs", "$ref", "title", "description", "default", "properties", "items", "allOf"}
    silent |= {"if", "then", "additionalProperties", "required", "propertyNames"}
    names_of_keys = ("properties", "$defs", "default", "const", "enum")

    def keywords(schema: object) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(keywords, schema))
        if not isinstance(schema, dict):
            return set()
        inner = [each for key, each in schema.items() if key not in names_of_keys]
        inner += [part for key in ("properties", "$defs") for part in schema.get(key, {}).values()]
        return set(schema) | keywords(inner)

    used = keywords(schema_of(MODEL_SCHEMA)) | keywords(schema_of(DATA_SCHEMA))
    assert used - silent <= _WORDS.keys()


def regenerate() -> None:
    blocks = []
    for edit, lines, _ in cases():
        with tempfile.TemporaryDirectory() as folder:
            blocks.append(f"## {edit}\n{lines}## gives\n{problems_of(edited(edit, lines), Path(folder))}\n")
    GOLDEN.write_text("\n".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    regenerate()
