from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mlops_ci import __version__
from mlops_ci.adapters import templates
from mlops_ci.adapters.template_record import ANSWERS_FILE, PRISTINE_FILE
from mlops_ci.adapters.templates import Question, Template
from mlops_ci.errors import ConfigurationError


@pytest.fixture
def template(tmp_path: Path) -> Template:
    folder = tmp_path / "template"
    files = {
        "template.yaml": "not copied",
        "README.md.jinja": "# [[ model ]]\n\n[% if owner %]by [[ owner ]][% endif %][# a remark #]\n",
        ".github/workflow.yml.jinja": "${{ github.ref }} of {{ nothing }}: [[ model ]]\n",
        "plain.md": "[[ model ]]\n",
        "__pycache__/train.pyc": "x",
        "empty/.gitkeep": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    questions = (
        Question(name="model", prompt="?", default="late", pattern="[a-z-]+"),
        Question(name="owner", prompt="?", default="@acme/ml", pattern=r"\S+"),
    )
    return Template(kind="test", folder=folder, description="", questions=questions)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_marks_are_replaced_and_those_of_github_are_not(template: Template, tmp_path: Path) -> None:
    written = templates.render(template, {"model": "tides"}, tmp_path / "new")

    assert set(written.files) == names(tmp_path / "new")
    assert names(tmp_path / "new") == {
        "README.md", ".github/workflow.yml", "plain.md", "empty/.gitkeep", ANSWERS_FILE, PRISTINE_FILE,
    }  # fmt: skip
    assert (tmp_path / "new" / "README.md").read_text() == "# tides\n\nby @acme/ml\n"
    assert (tmp_path / "new" / ".github" / "workflow.yml").read_text() == "${{ github.ref }} of {{ nothing }}: tides\n"
    assert (tmp_path / "new" / "plain.md").read_text() == "[[ model ]]\n"


def test_the_answers_are_kept_for_later(template: Template, tmp_path: Path) -> None:
    import yaml

    templates.render(template, {"model": "tides"}, tmp_path / "new")

    record = yaml.safe_load((tmp_path / "new" / ANSWERS_FILE).read_text())
    assert record == {"kind": "test", "toolkit": __version__, "answers": {"model": "tides", "owner": "@acme/ml"}}


def test_all_wrong_answers_are_listed_at_once_and_nothing_is_written(template: Template, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        templates.render(template, {"model": "Ti des", "colour": "red", "owner": "a b"}, tmp_path / "new")

    assert {problem.where for problem in raised.value.problems} == {"model", "colour", "owner"}
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_refused(template: Template, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")

    with pytest.raises(ConfigurationError, match=r"is not empty, and no Git repository: thesis\.tex"):
        templates.render(template, {}, tmp_path / "mine")
    assert names(tmp_path / "mine") == {"thesis.tex"}


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_way_is_named(template: Template, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ConfigurationError, match="file"):
        templates.render(template, {}, tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_folder_and_a_fresh_git_repository_are_filled(template: Template, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "git" / ".git").mkdir(parents=True)
    (tmp_path / "git" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")

    for name in ("empty", "git"):
        templates.render(template, {}, tmp_path / name)
        assert (tmp_path / name / "README.md").exists()
    assert (tmp_path / "git" / ".git" / "HEAD").exists()


def test_whoever_may_read_a_new_folder_may_read_this_one(template: Template, tmp_path: Path) -> None:
    (tmp_path / "ordinary").mkdir()

    templates.render(template, {}, tmp_path / "new")

    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "new")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_cut_off_while_it_is_rendered_leaves_nothing(
    template: Template, tmp_path: Path, error: type[BaseException]
) -> None:
    class Cut(str):
        def __str__(self) -> str:
            raise error

    with pytest.raises(error):
        templates.render(template, {"model": Cut("tides")}, tmp_path / "deep" / "new")
    assert not (tmp_path / "deep").exists()


def test_a_mark_without_an_answer_is_an_error_and_no_gap(template: Template, tmp_path: Path) -> None:
    import jinja2

    (template.folder / "more.md.jinja").write_text("[[ colour ]]")

    with pytest.raises(jinja2.UndefinedError):
        templates.render(template, {}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    assert "tabular-classification" in templates.kinds()
    for kind in ("tabular", "../templates/tabular-classification", ""):
        with pytest.raises(ConfigurationError) as raised:
            templates.load(kind)
        assert "tabular-classification" in raised.value.fix


@pytest.mark.parametrize("kind", templates.kinds())
def test_the_defaults_of_each_template_satisfy_its_own_questions(kind: str) -> None:
    template = templates.load(kind)

    assert template.description
    assert [question.problem_with(question.default) for question in template.questions] == [None] * len(
        template.questions
    )
