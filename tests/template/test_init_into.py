"""`init` into what is there already, and answers that want more than to be an answer."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlops_ci.adapters import templates
from mlops_ci.adapters.template_record import ANSWERS_FILE, PRISTINE_FILE
from tests.template.toolkit import KIND, Team, Toolkit, facts, make_toolkit

HOSTILE = {
    "a newline": "tides\nimage: {repository: evil}",
    "a quote": 'tides"',
    "a YAML flow": "{a: b}",
    "a YAML tag": "!!python/object:os.system",
    "a comment": "tides # x",
    "a Jinja mark": "[[ 7 * 7 ]]",
    "a GitHub expression": "${{ secrets.TOKEN }}",
    "a shell": "$(touch planted)",
    "a backtick": "`id`",
    "an option": "--help",
    "a path": "../../etc",
    "a letter that looks the same": "t\u0456des",
    "a letter from right to left": "a\u202eb",
    "a full-width letter": "\uff41cme",
    "nothing": "",
    "a space": " ",
    "a NUL": "a\0b",
    "a long one": "a" * 1000,
}


@pytest.fixture
def toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolkit:
    return make_toolkit(tmp_path / "toolkit", monkeypatch)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path / "team")
    team.folder.mkdir()
    team.write("README.md", "Our own page\n")
    team.write("src/model.py", "x = 1\n")
    team.write(".gitignore", "*.zip\n")
    team.commit("years of work")
    return team


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("question", ["model", "owner", "registry", "toolkit"])
def test_a_hostile_answer_is_refused_with_what_to_write_instead(question: str, answer: str) -> None:
    (asked,) = [each for each in templates.load("tabular-classification").questions if each.name == question]
    for attempt in (answer, f"{asked.default}\n{answer}", f"{asked.default}\n"):
        problem = asked.problem_with(attempt)
        assert problem is not None, attempt
        assert asked.default in problem.fix
        assert problem.what.isprintable()


@pytest.mark.parametrize(
    ("question", "good", "bad"),
    [
        ("model", ["a", "flight-delay", "x" * 63], ["A", "1a", "-a", "a_b", "x" * 64, "a.b"]),
        ("owner", ["@ada", "@acme/ml-owners"], ["ada", "@", "@acme/", "@acme/a/b", "@acme/ml owners", "@-a"]),
        ("registry", ["ghcr.io/acme", "localhost:5000", "acme.azurecr.io", "r.example/a/b-c"],
         ["https://ghcr.io/acme", "ghcr.io/Acme", "ghcr.io/../a", "ghcr.io//a", "ghcr.io/a:tag", "ghcr.io/a/"]),
        ("toolkit", ["mlops-ci/mlops-ci", "Acme/m.l_ops"], ["mlops-ci", "a/b/c", "a/..", "a/.", "../a", "a/b@v1"]),
    ],
)  # fmt: skip
def test_what_each_question_takes(question: str, good: list[str], bad: list[str]) -> None:
    (asked,) = [each for each in templates.load("batch-scoring").questions if each.name == question]
    assert [answer for answer in good if asked.problem_with(answer)] == []
    assert [answer for answer in bad if not asked.problem_with(answer)] == []


def test_what_is_there_stays_and_is_named(toolkit: Toolkit, team: Team) -> None:
    before = team.state()
    answer = team.run("init", KIND, ".", "--defaults")

    assert (answer.code, answer.value["kept"]) == (0, ["README.md"])
    assert "write !.mlops-template.zip into .gitignore" in answer.stderr
    after = team.state()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(answer.value["files"])
    assert {"mlops.yaml", "data/rows.parquet", ANSWERS_FILE, PRISTINE_FILE} <= set(after)
    assert yaml.safe_load(after[ANSWERS_FILE])["own"] == ["README.md"]


def test_what_was_there_is_none_of_the_updates_business(toolkit: Toolkit, team: Team) -> None:
    team.run("init", KIND, ".", "--defaults")
    team.git("add", "-f", PRISTINE_FILE)
    team.commit("a template")
    toolkit.edit("small/README.md.jinja", "One.", "First.")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    assert facts(team.update()) == {"changed": ["mlops.yaml"]}
    assert team.text("README.md") == "Our own page\n"


def test_a_model_in_a_folder_of_a_larger_repository(toolkit: Toolkit, team: Team) -> None:
    answer = team.run("init", KIND, "services/tides", "--defaults")
    assert (answer.code, answer.value["kept"]) == (0, [])
    assert "git init" not in answer.stderr
    inside = Team(team.folder / "services" / "tides")
    team.git("add", "-f", "services")
    team.commit("a model")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    assert facts(inside.update()) == {"changed": ["mlops.yaml"]}


def test_a_second_time_it_says_update(toolkit: Toolkit, team: Team) -> None:
    team.run("init", KIND, ".", "--defaults")
    before = team.state()
    answer = team.run("init", KIND, ".", "--defaults")
    assert (answer.code, "mlops-ci update" in answer.said) == (2, True)
    assert team.state() == before


@pytest.mark.parametrize("what", ["a link", "a file", "a folder"])
def test_what_is_in_the_way_of_a_file_is_named_and_nothing_is_written(
    toolkit: Toolkit, team: Team, tmp_path: Path, what: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    if what == "a link":
        (team.folder / "data").symlink_to(tmp_path / "elsewhere")
    elif what == "a file":
        team.write("data", "a file where a folder has to be\n")
    else:
        (team.folder / "mlops.yaml").mkdir()
    before = team.state()
    answer = team.run("init", KIND, ".", "--defaults")
    assert (answer.code, "in the way" in answer.said) == (2, True), answer.said
    assert team.state() == before
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_was_written_before_an_error_is_taken_away_again(
    toolkit: Toolkit, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, really, count = team.state(), templates.write_atomically, [0]

    def fails_at_the_third(path: Path, content: bytes) -> None:
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt
        really(path, content)

    monkeypatch.setattr(templates, "write_atomically", fails_at_the_third)
    assert team.run("init", KIND, ".", "--defaults").code == 130
    assert team.state() == before
    assert not (team.folder / "data").exists()
    monkeypatch.undo()


def test_killed_in_between_the_next_run_writes_the_rest(toolkit: Toolkit, team: Team) -> None:
    template = templates.load(KIND)
    files = templates.contents(template, {})
    team.write("mlops.yaml", files["mlops.yaml"].decode())  # as far as it had come
    answer = team.run("init", KIND, ".", "--defaults")
    assert (answer.code, answer.value["kept"]) == (0, ["README.md"])
    assert {*files} - {"README.md"} <= {*team.state()}


def test_on_a_terminal_it_asks_until_the_answer_can_be_taken(toolkit: Toolkit, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_ci", "init", KIND, "team"], cwd=tmp_path, stdin=theirs,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(toolkit.folder)},
    )  # fmt: skip
    os.write(ours, b"Big Waves\nwaves\n\n")
    _, said = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, said
    assert b"Name [tides]: " in said
    assert b"write small letters" in said
    answers = yaml.safe_load((tmp_path / "team" / ANSWERS_FILE).read_text())["answers"]
    assert answers == {"model": "waves", "owner": "@acme/ml"}
