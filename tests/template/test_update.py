"""`update` in real Git repositories: what the template has learnt comes in, and what the team has changed stays."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ci import __version__
from mlops_ci.adapters.template_record import ANSWERS_FILE, PRISTINE_FILE
from mlops_ci.adapters.template_update import behind, drifted
from tests.template.toolkit import KIND, Team, Toolkit, facts, make_team, make_toolkit


@pytest.fixture
def toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolkit:
    return make_toolkit(tmp_path / "toolkit", monkeypatch)


@pytest.fixture
def team(toolkit: Toolkit, tmp_path: Path) -> Team:
    return make_team(tmp_path / "team")


def test_nothing_is_behind_right_after_init(team: Team) -> None:
    before = team.state()
    answer = team.update()
    assert (answer.code, answer.value["outcome"], answer.value["behind"]) == (0, "up-to-date", False)
    assert (answer.value["kind"], answer.value["from"], answer.value["to"]) == (KIND, __version__, __version__)
    assert facts(answer) == {}
    assert team.state() == before
    assert behind(team.folder) == ()


def test_both_sides_changes_of_one_file_come_together(toolkit: Toolkit, team: Team) -> None:
    team.edit("mlops.yaml", "target: y", "target: height")
    team.commit("our own target")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    assert behind(team.folder) == ("mlops.yaml",)

    answer = team.update()

    assert (answer.code, answer.value["outcome"], facts(answer)) == (0, "updated", {"changed": ["mlops.yaml"]})
    assert "target: height" in team.text("mlops.yaml")
    assert "looks: 30" in team.text("mlops.yaml")
    assert team.git("diff", "--cached", "--name-only") == ""
    team.commit("template")
    assert (team.update().value["outcome"], behind(team.folder)) == ("up-to-date", ())


def test_lines_that_both_have_changed_are_marked_and_named(toolkit: Toolkit, team: Team) -> None:
    team.edit("mlops.yaml", "looks: 20", "looks: 5")
    team.edit("README.md", "Six.", "Half a dozen.")
    team.commit("ours")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.edit("small/README.md.jinja", "One.", "First.")

    answer = team.update()

    assert (answer.code, answer.value["outcome"]) == (2, "conflicts")
    assert facts(answer) == {"changed": ["README.md", "mlops.yaml"], "conflicts": ["mlops.yaml:10"]}
    assert team.text("mlops.yaml").splitlines()[9:14] == [
        "<<<<<<< your repository", "  looks: 5", "=======", "  looks: 30", ">>>>>>> the template",
    ]  # fmt: skip
    assert "First.\n\nTwo." in team.text("README.md")
    assert "Half a dozen." in team.text("README.md")


def test_it_says_the_same_again_until_it_is_committed_and_refuses_to_undo_a_mend(toolkit: Toolkit, team: Team) -> None:
    team.edit("mlops.yaml", "looks: 20", "looks: 5")
    team.commit("ours")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    first, after = team.update(), team.state()
    assert team.update().value == first.value
    assert team.state() == after

    team.write(
        "mlops.yaml", re.sub(r"<<<<<<< .*?>>>>>>> the template\n", "  looks: 6\n", team.text("mlops.yaml"), flags=re.S)
    )
    mended = team.state()
    refused = team.update()
    assert (refused.code, "not committed yet: mlops.yaml" in refused.said) == (2, True)
    assert team.state() == mended
    team.commit("mended")
    assert team.update().value["outcome"] == "up-to-date"
    assert "looks: 6" in team.text("mlops.yaml")


def test_check_changes_nothing_and_says_the_same(toolkit: Toolkit, team: Team) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.write("small/new.md", "new\n")
    before = team.state()
    answer = team.update("--check")
    assert (answer.code, answer.value["outcome"], answer.value["behind"]) == (0, "behind", True)
    assert facts(answer) == {"changed": ["mlops.yaml"], "added": ["new.md"]}
    assert team.state() == before
    assert facts(team.update()) == facts(answer)


@pytest.mark.parametrize("change", ["edited", "staged", "new in the way"])
def test_what_is_not_committed_is_named_and_stays(toolkit: Toolkit, team: Team, change: str) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.write("small/new.md", "new\n")
    name = "new.md" if change == "new in the way" else "train.py"
    team.write(name, "mine\n")
    if change == "staged":
        team.git("add", name)
    before = team.state()
    answer = team.update()
    assert (answer.code, name in answer.said) == (2, True)
    assert team.state() == before
    assert team.update("--check").code == 0


def test_files_of_the_teams_that_the_template_does_not_know_are_none_of_its_business(
    toolkit: Toolkit, team: Team
) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    team.write("notes.txt", "not even in Git")
    assert team.update().code == 0
    assert team.text("notes.txt") == "not even in Git"


def test_data_are_replaced_until_the_team_has_changed_them(toolkit: Toolkit, tmp_path: Path) -> None:
    untouched, changed, deleted = (make_team(tmp_path / name) for name in ("untouched", "changed", "deleted"))
    changed.write("data/rows.parquet", "PAR1\0mine")
    (deleted.folder / "data" / "rows.parquet").unlink()
    changed.commit("our data")
    deleted.commit("no data")
    toolkit.write("small/data/rows.parquet", "PAR1\0second")

    assert facts(untouched.update()) == {"changed": ["data/rows.parquet"]}
    assert untouched.text("data/rows.parquet") == "PAR1\0second"
    assert facts(changed.update()) == {"kept": ["data/rows.parquet"]}
    assert changed.text("data/rows.parquet") == "PAR1\0mine"
    assert facts(deleted.update()) == {}
    assert not (deleted.folder / "data" / "rows.parquet").exists()


def test_what_the_team_has_deleted_stays_so_although_the_template_changes_it(toolkit: Toolkit, team: Team) -> None:
    (team.folder / "README.md").unlink()
    team.commit("we need none")
    toolkit.edit("small/README.md.jinja", "One.", "First.")
    answer = team.update()
    assert (answer.code, facts(answer)) == (0, {})
    assert not (team.folder / "README.md").exists()


def test_what_the_template_has_no_longer_goes_unless_the_team_has_changed_it(toolkit: Toolkit, tmp_path: Path) -> None:
    untouched, changed = (make_team(tmp_path / name) for name in ("untouched", "changed"))
    changed.edit("train.py", "None", "0")
    changed.commit("ours")
    toolkit.remove("small/train.py")
    assert facts(untouched.update()) == {"removed": ["train.py"]}
    assert not (untouched.folder / "train.py").exists()
    assert facts(changed.update()) == {"kept": ["train.py"]}
    assert "return 0" in changed.text("train.py")
    changed.commit("template")
    assert facts(changed.update()) == {}


def test_a_new_file_comes_and_one_of_the_same_name_is_a_conflict(toolkit: Toolkit, tmp_path: Path) -> None:
    without, same, other = (make_team(tmp_path / name) for name in ("without", "same", "other"))
    same.write("docs/how.md", "How\n")
    other.write("docs/how.md", "Our own page\n")
    same.commit("a page")
    other.commit("a page")
    toolkit.write("small/docs/how.md", "How\n")
    assert facts(without.update()) == {"added": ["docs/how.md"]}
    assert facts(same.update()) == {}
    answer = other.update()
    assert (answer.code, facts(answer)["conflicts"]) == (2, ["docs/how.md:1"])
    assert "Our own page" in other.text("docs/how.md")


@pytest.mark.parametrize("who", ["the template", "the team"])
def test_a_renamed_file_carries_the_others_changes_along(toolkit: Toolkit, team: Team, who: str) -> None:
    if who == "the template":
        team.edit("README.md", "Six.", "Half a dozen.")
        toolkit.write("small/HOW.md.jinja", "# [[ model ]]\n\nOne.\n\nTwo.\n\nThree.\n\nFour.\n\nFive.\n\nSix.\n")
        toolkit.remove("small/README.md.jinja")
    else:
        team.git("mv", "README.md", "HOW.md")
        toolkit.edit("small/README.md.jinja", "Six.", "Half a dozen.")
    team.commit("ours")
    answer = team.update()
    assert answer.code == 0, answer.said
    assert team.text("HOW.md").endswith("Five.\n\nHalf a dozen.\n")
    assert not (team.folder / "README.md").exists()


def test_a_project_in_a_folder_of_the_repository(toolkit: Toolkit, tmp_path: Path) -> None:
    team = make_team(tmp_path / "team", inside="services/tides")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.write("small/new.md", "new\n")
    (tmp_path / "team" / "new.md").write_text("another project's")
    assert facts(team.update()) == {"changed": ["mlops.yaml"], "added": ["new.md"]}
    assert "services/tides/mlops.yaml" in team.git("diff", "--name-only")
    assert (tmp_path / "team" / "new.md").read_text() == "another project's"


def test_an_executable_file_stays_one(toolkit: Toolkit, team: Team) -> None:
    (team.folder / "train.py").chmod(0o755)
    team.commit("runs by itself")
    toolkit.edit("small/train.py", "None", "1")
    assert team.update().code == 0
    assert stat.S_IMODE((team.folder / "train.py").stat().st_mode) == 0o755
    team.commit("template")
    assert team.git("ls-files", "-s", "train.py").startswith("100755")


def test_a_new_question_takes_its_default_or_what_is_answered(toolkit: Toolkit, tmp_path: Path) -> None:
    one, other = make_team(tmp_path / "one", model="surf"), make_team(tmp_path / "other")
    toolkit.edit("all/questions.yaml", "owner:", 'sea: {prompt: Sea, default: north, pattern: "[a-z]+"}\nowner:')
    toolkit.edit("small/mlops.yaml.jinja", "  target: y", "  target: y\n  sea: [[ sea ]]")
    assert one.update().code == 0
    assert "sea: north" in one.text("mlops.yaml")
    assert "model: surf" in one.text("mlops.yaml")
    assert "sea: north" in one.text(ANSWERS_FILE)
    assert other.update("--answer", "sea=baltic").code == 0
    assert "sea: baltic" in other.text("mlops.yaml")


def test_an_answer_can_be_changed(team: Team) -> None:
    answer = team.update("--answer", "owner=@acme/sea")
    assert (answer.code, facts(answer)) == (0, {"changed": [".github/CODEOWNERS"]})
    assert "@acme/sea" in team.text(".github/CODEOWNERS")
    team.commit("others decide")
    assert team.update().value["outcome"] == "up-to-date"
    refused = team.update("--answer", "owner=@acme/sea; rm -rf /")
    assert (refused.code, "write @org/team" in refused.said) == (2, True)


def test_an_answer_that_is_no_longer_asked_for_is_dropped(toolkit: Toolkit, team: Team) -> None:
    toolkit.write("all/questions.yaml", "{}\n")
    toolkit.write("all/.github/CODEOWNERS.jinja", "/environments/production/ @acme/all\n")
    assert facts(team.update()) == {"changed": [".github/CODEOWNERS"]}
    assert "owner" not in team.text(ANSWERS_FILE)


class TestWithoutTheRecordOfWhatWasGiven:
    """As the first versions of the toolkit left a repository."""

    @pytest.fixture
    def team(self, toolkit: Toolkit, tmp_path: Path) -> Team:
        team = make_team(tmp_path / "team")
        (team.folder / PRISTINE_FILE).unlink()
        team.edit("mlops.yaml", "target: y", "target: height")
        team.commit("as it was then")
        return team

    def test_nothing_of_the_teams_is_touched_and_new_files_come(self, toolkit: Toolkit, team: Team) -> None:
        (team.folder / "train.py").unlink()
        team.commit("not ours")
        toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
        toolkit.write("small/new.md", "new\n")
        answer = team.update()
        assert (answer.code, facts(answer)) == (0, {"added": ["new.md"], "kept": ["mlops.yaml"]})
        assert "looks: 20" in team.text("mlops.yaml")
        assert not (team.folder / "train.py").exists()

    def test_from_then_on_it_is_merged(self, toolkit: Toolkit, team: Team) -> None:
        team.update()
        team.commit("on record now")
        toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
        assert facts(team.update()) == {"changed": ["mlops.yaml"]}
        assert {"  target: height", "  looks: 30"} <= set(team.text("mlops.yaml").splitlines())


def test_what_the_team_has_taken_over_is_never_touched(toolkit: Toolkit, team: Team) -> None:
    team.write(ANSWERS_FILE, team.text(ANSWERS_FILE) + "own: [README.md]\n")
    team.write("README.md", "Ours\n")
    team.commit("ours")
    toolkit.edit("small/README.md.jinja", "One.", "First.")
    assert (team.update().value["outcome"], behind(team.folder)) == ("up-to-date", ())
    assert team.text("README.md") == "Ours\n"


def test_a_folder_that_was_made_from_no_template(toolkit: Toolkit, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = Team(tmp_path / "plain")
    plain.write("train.py", "x = 1\n")
    no_git = plain.update()
    assert (no_git.code, "no Git repository" in no_git.said) == (2, True)
    plain.commit()
    answer = plain.update()
    assert (answer.code, "made from no template" in answer.said) == (2, True)
    assert (behind(plain.folder), drifted(plain.folder)) == (None, None)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (ANSWERS_FILE, b"kind: [", "it is no YAML"),
        (ANSWERS_FILE, b"- a list\n", "it needs kind"),
        (ANSWERS_FILE, b"kind: small\ntoolkit: 0.1.0\nanswers: {model: 1}\n", "it needs kind"),
        (ANSWERS_FILE, b"kind: small\ntoolkit: 99.0.0\nanswers: {}\n", "install that version"),
        (ANSWERS_FILE, b"kind: ../../etc\ntoolkit: 0.1.0\nanswers: {}\n", "there is no template"),
        (ANSWERS_FILE, b"kind: small\ntoolkit: 0.1.0\nanswers: {model: 'a; b'}\n", "cannot be taken"),
        (ANSWERS_FILE, b"\xff\xfe\x00", "it is no YAML"),
        (PRISTINE_FILE, b"PK\x03\x04 cut off", "not as mlops-ci wrote it"),
        (PRISTINE_FILE, b"", "not as mlops-ci wrote it"),
    ],
)  # fmt: skip
def test_a_spoilt_record_is_named(team: Team, name: str, content: bytes, says: str) -> None:
    (team.folder / name).write_bytes(content)
    team.commit("spoilt")
    before = team.state()
    answer = team.update()
    assert (answer.code, says in answer.said) == (2, True), answer.said
    assert team.state() == before


@pytest.mark.parametrize("name", ["../outside.md", "/etc/passwd", "a/../../b", ".git/config", "a\\..\\b"])
def test_a_record_that_names_files_outside_of_the_repository_is_refused(team: Team, name: str) -> None:
    from mlops_ci.adapters.zip_archive import archive_bytes

    (team.folder / PRISTINE_FILE).write_bytes(archive_bytes([("digests.json", b"{}"), (f"text/{name}", b"x")]))
    team.commit("planted")
    answer = team.update()
    assert (answer.code, "outside of the repository" in answer.said) == (2, True), answer.said


def test_a_record_that_unpacks_to_far_more_than_a_template_is_refused(team: Team) -> None:
    import zipfile

    with zipfile.ZipFile(team.folder / PRISTINE_FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("digests.json", "{}")
        archive.writestr("text/a", b"0" * 50_000_000)
    team.commit("planted")
    assert "larger than any template" in team.update().said


def test_a_link_out_of_the_repository_is_not_followed(toolkit: Toolkit, team: Team, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (team.folder / "docs").symlink_to(tmp_path / "elsewhere")
    toolkit.write("small/docs/how.md", "How\n")
    answer = team.update()
    assert (answer.code, "in the way" in answer.said) == (2, True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_drift_names_what_the_team_has_changed_and_deleted(team: Team) -> None:
    team.edit("mlops.yaml", "looks: 20", "looks: 5")
    (team.folder / "train.py").unlink()
    team.write("data/rows.parquet", "PAR1\0mine")
    found = drifted(team.folder)
    assert found is not None
    assert (found.changed, found.deleted) == (("data/rows.parquet", "mlops.yaml"), ("train.py",))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_the_next_run_finishes_it(
    toolkit: Toolkit, team: Team, tmp_path: Path, number: signal.Signals
) -> None:
    for count in range(40):
        toolkit.write(f"small/pages/{count:03}.md", f"page {count}\n")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    whole = make_whole(team, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_ci", "update", "-C", str(team.folder)],
        env={**os.environ, "PYTHONPATH": str(toolkit.folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (team.folder / "pages").exists() and process.poll() is None:
        pass
    process.send_signal(number)
    process.wait()

    assert not list(team.folder.rglob("*.part"))
    answer = team.update()
    assert answer.code == 0, answer.said
    left = {name: data for name, data in team.state().items() if "/." not in f"/{name}" or name in whole}
    assert left == whole


def make_whole(team: Team, tmp_path: Path) -> dict[str, bytes]:
    """What the repository is after an update that nobody disturbs."""
    copy = Team(tmp_path / "whole")
    subprocess.run(["git", "clone", "-q", str(team.folder), str(copy.folder)], check=True)
    assert copy.update().code == 0
    return copy.state()
