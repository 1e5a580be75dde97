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


ZEROS = "0" * 40


def pushed(team: Team, capsys: pytest.CaptureFixture[str], before: str) -> list[str]:
    return planned(team, capsys, "--before", before)


def test_a_push_touches_what_it_changed(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    before = team.git("rev-parse", "HEAD")
    team.write("models/rain/train.py", "pass\n")
    team.commit()
    team.write("models/hail/train.py", "pass\n")
    team.commit()
    assert pushed(team, capsys, before) == ["hail", "rain"]
    assert pushed(team, capsys, team.git("rev-parse", "HEAD")) == []


def test_what_a_forced_push_took_away_has_changed_too(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("models/rain/train.py", "pass\n")
    team.commit()
    before = team.git("rev-parse", "HEAD")
    team.git("reset", "-q", "--hard", "HEAD~1")
    team.write("models/hail/train.py", "pass\n")
    team.commit()
    assert pushed(team, capsys, before) == ["hail", "rain"]


@pytest.mark.parametrize("before", [ZEROS, "", "f" * 40])
def test_a_push_from_nowhere_touches_everything(team: Team, capsys: pytest.CaptureFixture[str], before: str) -> None:
    """A new branch; a dispatch, whose event has no such commit; one that a forced push has taken away for good."""
    assert pushed(team, capsys, before) == list(MODELS)


def test_a_commit_that_may_only_be_missing_here_is_no_reason_to_plan_everything(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = team.git("rev-parse", "HEAD")
    team.write("models/rain/train.py", "pass\n")
    team.commit()
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", team.root.as_uri(), shallow], check=True)
    assert main(["plan", "--before", before, "-C", str(shallow)]) == 2
    assert "fetch-depth: 0" in capsys.readouterr().err


def test_one_model_can_be_named(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(team, capsys, "--model", "rain") == ["rain"]
    assert main(["plan", "--model", "fog", "-C", str(team.root)]) == 2
    assert "there is no model 'fog'" in capsys.readouterr().err


def desired(team: Team, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    code = main(["plan", "--desired", *arguments, "--json", "-C", str(team.root)])
    value = json.loads(capsys.readouterr().out)
    assert (code, value["count"]) == (0, len(value["matrix"]["include"]))
    jobs: list[dict[str, str]] = value["matrix"]["include"]
    return jobs


def test_desired_state_is_planned_by_model_and_environment(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.write("environments/qa/rain.yaml", "release: a\n")
    team.commit()
    before = team.git("rev-parse", "HEAD")
    assert desired(team, capsys, "--before", before) == []
    for path in ("qa/hail.yaml", "production/rain.yaml", "qa/gone.yaml", "qa/README.md", "qa/deep/rain.yaml"):
        team.write(f"environments/{path}", "release: b\n")
    team.write("models/snow/environments/qa/snow.yaml", "release: b\n")
    team.commit()
    hail = {"name": "hail in qa", "model": "hail", "environment": "qa"}
    rain = {"name": "rain in production", "model": "rain", "environment": "production"}
    assert desired(team, capsys, "--before", before) == [hail, rain]
    assert desired(team, capsys, "--all") == [
        hail, rain, {"name": "rain in qa", "model": "rain", "environment": "qa"}
    ]  # fmt: skip
    team.git("rm", "-q", "environments/qa/rain.yaml")
    team.commit()
    assert {"name": "rain in qa", "model": "rain", "environment": "qa"} in desired(team, capsys, "--before", before)


def test_more_desired_state_than_a_matrix_takes_is_named(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    for model in MODELS:
        team.write(f"environments/qa/{model}.yaml", "release: a\n")
    assert main(["plan", "--desired", "--all", "--most-jobs", "2", "-C", str(team.root)]) == 2
    assert "mlops-ci reconcile --since" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("share", "names"), [("1/2", "hail\nrain"), ("2/2", "snow"), ("1/1", "hail\nrain\nsnow"), ("4/4", "")]
)
def test_jobs_of_a_fixed_number_share_the_models_by_their_names(
    team: Team, capsys: pytest.CaptureFixture[str], share: str, names: str
) -> None:
    assert main(["plan", "--all", "--share", share, "--names", "-C", str(team.root)]) == 0
    assert capsys.readouterr().out.strip("\n") == names


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "1/0", "-1/2", "a/b", "1/257", "1/2/3", "²/2"])
def test_a_share_that_is_none_is_refused(team: Team, capsys: pytest.CaptureFixture[str], share: str) -> None:
    assert main(["plan", "--all", f"--share={share}", "-C", str(team.root)]) == 2
    assert "write which of how many, such as 2/4" in capsys.readouterr().err


def test_pipelines_of_other_forges_are_no_input_of_a_model(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".gitlab-ci.yml", ".gitlab/ci/main.yml", ".azure-pipelines/night.yml", "Jenkinsfile", "infra/qa/x.tf"):
        team.write(name, "x\n")
    team.write("mlops.yaml", "schema: 1\nmodel: whole\n")
    team.commit()
    assert planned(team, capsys, "--base", "main") == ["whole"]
    team.git("switch", "-q", "-c", "pipelines")
    for name in (".gitlab-ci.yml", ".gitlab/ci/main.yml", ".azure-pipelines/night.yml", "Jenkinsfile", "infra/qa/x.tf"):
        team.write(name, "y\n")
    team.commit()
    assert planned(team, capsys, "--base", "change") == []
