"""A team's own transformer, whose converter its train.py registers with skl2onnx: the example in docs/export.md."""

from __future__ import annotations

from tests.cli.repository import ROOT, Repository


def example() -> str:
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    return page.partition("```python\n")[2].partition("```")[0]


def changed(before: str, after: str) -> str:
    assert example().count(before) == 1
    return example().replace(before, after)


def test_the_example_of_the_page_is_exported_and_judged(repository: Repository) -> None:
    repository.write("train.py", example())

    answer = repository.run("ci")

    assert (answer.code, answer.value["verdict"]) == (0, "first"), answer.said
    parity = repository.run("export").value["parity"]
    assert parity["ok"]
    assert parity["max_abs_diff"] < 1e-12
    assert parity["rows"] > 100


def test_a_converter_that_forgets_something_is_found_by_parity(repository: Repository) -> None:
    """Of the two limits the lower one; the highest and lowest percent of the holdout are a row or two."""
    repository.write("train.py", changed("operator.inputs[0], model.low_,", "operator.inputs[0], model.low_ - 100,"))

    answer = repository.run("ci")

    assert (answer.code, answer.value["failed"], answer.value["verdict"]) == (12, "export", "parity")
    exported = repository.run("export")
    assert exported.code == 12
    assert set(exported.value["parity"]["columns"]) <= {"height", "age"}
    assert exported.value["parity"]["offenders"]


def test_a_converter_that_raises_is_told_with_its_message(repository: Repository) -> None:
    raising = "    raise ValueError('the table of limits is empty')\n    model, version = "
    repository.write("train.py", changed("    model, version = ", raising))

    exported = repository.run("export")

    assert (exported.code, exported.value["parity"]) == (12, None)
    what = "the converter of train.Winsorizer raised ValueError: the table of limits is empty"
    assert what in exported.error["what"]
    assert "docs/export.md" in exported.error["fix"]
    evaluated = repository.run("evaluate")
    assert (evaluated.code, evaluated.value["verdict"], evaluated.value["ships"]) == (11, "parity", False)


def test_without_a_converter_it_says_how_to_get_one(repository: Repository) -> None:
    repository.write(
        "train.py", changed('update_registered_converter(Winsorizer, "OurWinsorizer", shapes, convert)', "")
    )

    exported = repository.run("export")

    assert exported.code == 12
    assert "Winsorizer has no converter" in exported.error["what"]
    assert "register a converter" in exported.error["fix"]
