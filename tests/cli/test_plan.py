"""`plan` in real Git repositories: which models a pull request touches, as the matrix that CI takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlops_ci.cli.main import main

MODELS = ("hail", "rain", "snow")


class Team:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main", "--template=")
        for model in MODELS:
            self.write(f"models/{model}/mlops.yaml", f"schema: 1\nmodel: {model}\n")
            self.write(f"models/{model}/train.py", "")
        self.write(
            "models/snow/mlops.yaml", "model: snow\nshared: [../../libs]\ndata: {source: ../../data/ice.csv.dvc}\n"
        )
        self.write("libs/cold.py", "")
        self.write("data/ice.csv.dvc", "outs: []\n")
        self.write(".gitignore", "build/\n")
        self.commit()
        self.git("switch", "-q", "-c", "change")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path / "team")


def planned(team: Team, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    code = main(["plan", *arguments, "--json", "-C", str(team.root)])
    value = json.loads(capsys.readouterr().out)
    assert code == 0, value
    jobs = value["matrix"]["include"]
    assert [job["models"] for job in jobs] == value["models"]
    assert value["count"] == len(value["models"])
    names: list[str] = value["models"]
    return names


def test_only_what_the_branch_changed_counts(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(team, capsys, "--base", "main") == []
    team.write("models/rain/train.py", "# new\n")
    team.commit()
    team.git("switch", "-q", "main")
    team.write("models/hail/train.py", "# meanwhile, on main\n")
    team.commit()
    team.git("switch", "-q", "change")
    assert planned(team, capsys, "--base", "main") == ["rain"]


def test_what_is_shared_touches_those_who_share_it(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("libs/cold.py", "# new\n")
    team.commit()
    assert planned(team, capsys, "--base", "main") == ["snow"]
    team.write("requirements.txt", "numpy\n")
    team.commit()
    assert planned(team, capsys, "--base", "main") == list(MODELS)


def test_a_data_pointer_is_followed(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("data/ice.csv.dvc", "outs: [{md5: abc, path: ice.csv}]\n")
    team.commit()
    assert planned(team, capsys, "--base", "main") == ["snow"]


def test_work_that_is_not_committed_counts_and_ignored_files_do_not(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.write("models/hail/build/x.py", "")
    assert planned(team, capsys, "--base", "main") == []
    team.write("models/hail/new.py", "")
    (team.root / "models/rain/train.py").unlink()
    assert planned(team, capsys, "--base", "main") == ["hail", "rain"]


def test_a_renamed_file_touches_both_ends(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("models/hail/same.py", "x = 1\n" * 50)
    team.commit()
    team.git("switch", "-q", "-c", "moved")
    team.git("mv", "models/hail/same.py", "models/rain/same.py")
    team.commit()
    assert planned(team, capsys, "--base", "change") == ["hail", "rain"]


def test_hostile_names_of_files_are_only_names(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("models/rain/a\nmodels/hail/x.py", "")
    team.write("models/snow/ä \t'\"`$(touch owned).py", "")
    team.commit()
    assert planned(team, capsys, "--base", "main") == ["rain", "snow"]
    assert not (team.root / "owned").exists()


def test_the_first_push_has_nothing_to_compare_with(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(team, capsys, "--base", "0" * 40) == list(MODELS)
    assert planned(team, capsys, "--all") == list(MODELS)


def test_too_many_models_share_jobs(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--all", "--most-jobs", "2", "--json", "-C", str(team.root)]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["matrix"]["include"] == [
        {"name": "hail and 1 more", "models": "hail rain"},
        {"name": "snow", "models": "snow"},
    ]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--base", "nowhere"], "there is no commit nowhere"),
        (["--base", "--output=x"], "expected one argument"),
        (["--base=-x"], "there is no commit -x"),
        (["--base="], "there is no commit "),
        (["--base", "orphan"], "no commit in common"),
        (["--all", "--base", "main"], "not allowed with"),
        ([], "one of the arguments"),
        (["--all", "--most-jobs", "257"], "--most-jobs 257"),
        (["--all", "--most-jobs", "0"], "--most-jobs 0"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], what: str, team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.git("switch", "-q", "--orphan", "orphan")
    team.git("commit", "-q", "--allow-empty", "-m", "alone")
    team.git("switch", "-q", "change")
    assert main(["plan", *arguments, "--json", "-C", str(team.root)]) == 2
    assert what in json.loads(capsys.readouterr().out)["error"]["what"]
