"""Who has to agree by configuration and CODEOWNERS, what a promotion may change, and when releases may come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.local_forge import LocalForge
from mlops_ci.config.types import ApprovalsConfig
from mlops_ci.core.approval import Review
from mlops_ci.core.calendar import Freeze, Window
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ConfigurationError, IntegrityError
from mlops_ci.pipeline.approvals import approval_of, demand_of, require_approved
from mlops_ci.pipeline.release import deploy
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.site import Site
from tests.delivery.world import MODEL, Line, World

ONE, TWO = Line(slope=1.0), Line(slope=1.01)
FILE = f"environments/production/{MODEL}.yaml"
ZURICH = ZoneInfo("Europe/Zurich")
OFFICE = Window(days=frozenset(range(5)), opens=time(9), closes=time(16), timezone=ZURICH)
SATURDAY = datetime(2026, 11, 21, 9, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)


def asking(folder: Path, *people: str, required: int = 1, **more: Any) -> World:
    approvals = ApprovalsConfig(required=required, people=people, **more)
    return World(folder / "world", approvals=approvals)


def owned(world: World, text: str, place: str = ".github/CODEOWNERS") -> None:
    path = world.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    world.git("add", place)
    world.git("commit", "-q", "-m", "who owns what")


def approve(world: World, *reviewers: str) -> None:
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    for reviewer in reviewers:
        world.forge.review(pull.number, reviewer=reviewer, commit=pull.head, approve=True)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(ApprovalError) as caught:
        act()
    assert caught.value.exit_code == 14
    return str(caught.value)


def test_the_owner_of_the_file_has_to_approve(tmp_path: Path) -> None:
    world = asking(tmp_path)
    owned(world, f"* @eve\n/{FILE} @ada @acme/ml-owners\n")
    world.git("config", "--add", "mlops-ci.acme/ml-owners.member", "grace")
    made = world.release(ONE)
    approve(world, "eve")
    assert "eve is not among those who may approve" in refused(lambda: world.promote(made))
    approve(world, "grace")
    assert world.promote(made).outcome == "promoted"


def test_one_of_those_named_has_to_be_an_owner(tmp_path: Path) -> None:
    world = asking(tmp_path, "eve", "ada", "bob", required=2)
    owned(world, "/environments/ @ada\n")
    made = world.release(ONE)
    approve(world, "eve", "bob")
    said = refused(lambda: world.promote(made))
    assert "none of the approvals is an owner's; CODEOWNERS names @ada" in said
    approve(world, "ada")
    assert world.promote(made).outcome == "promoted"


def test_a_model_of_high_risk_needs_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = asking(tmp_path)
    plain = World.site
    monkeypatch.setattr(World, "site", lambda self, name="production": replace(plain(self, name), risk="high"))
    made = world.release(ONE)
    approve(world, "ada")
    said = refused(lambda: world.promote(made))
    assert "1 of 2 required approvals" in said
    assert "(the model is marked as high risk)" in said
    approve(world, "bob")
    assert world.promote(made).outcome == "promoted"


def test_owners_are_those_of_the_main_branch_and_not_of_the_pull_request(tmp_path: Path) -> None:
    world = asking(tmp_path)
    owned(world, "* @ada\n")
    made = world.release(ONE)
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    world.git("switch", "-q", pull.branch)
    (world.root / ".github/CODEOWNERS").write_text("* @mallory\n")
    world.git("commit", "-qam", "mine")
    world.git("switch", "-q", "main")
    approve(world, "mallory")
    assert "it changes '.github/CODEOWNERS'" in refused(lambda: world.promote(made))
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    assert "mallory is not among those who may approve" in approval_of(world.site(), pull).reasons
    assert world.git("show", "main:.github/CODEOWNERS") == "* @ada"


def test_code_on_the_proposal_is_refused_by_name_though_nobody_has_to_approve(tmp_path: Path) -> None:
    world = asking(tmp_path, required=0)
    made = world.release(ONE)
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    world.git("switch", "-q", pull.branch)
    for name in (".a\nb.py", *(f"{number:02}.py" for number in range(11))):
        (world.root / name).write_text("x")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "much more")
    world.git("switch", "-q", "main")
    said = refused(lambda: world.promote(made))
    assert "changes more than the line that names the release" in said
    assert "it changes '.a\\nb.py'" in said
    assert "and 2 more" in said
    assert world.desired() is None


def test_a_proposal_that_was_brought_up_to_date_with_main_changes_no_more_than_before(tmp_path: Path) -> None:
    world = asking(tmp_path, required=0)
    world.release(ONE)
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    (world.root / "train.py").write_text("# newer\n")
    world.git("commit", "-qam", "newer")
    world.git("switch", "-q", pull.branch)
    world.git("merge", "-q", "--no-edit", "main")
    world.git("switch", "-q", "main")
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    assert require_approved(world.site(), pull).granted


def test_whose_approval_is_not_an_owners(tmp_path: Path) -> None:
    world = asking(tmp_path)
    made = world.release(ONE)
    approve(world, "eve")
    cases = [
        ("docs/CODEOWNERS", "* @ada", "eve is not among"),
        ("CODEOWNERS", "* ada@example.org", "ada@example.org is an e-mail address"),
        ("CODEOWNERS", "* @acme/gone", "the members of team @acme/gone are not known"),
        ("CODEOWNERS", "* @ada\n[Production] @eve", "CODEOWNERS, line 2: "),
        (".github/CODEOWNERS", "* @bob", "eve is not among"),
        ("CODEOWNERS", "* @eve", "eve is not among"),  # the one in .github/ is the one that counts
    ]
    for place, text, says in cases:
        owned(world, text, place)
        assert says in refused(lambda: world.promote(made)), (place, text)
    world.git("rm", "-q", ".github/CODEOWNERS")
    world.git("commit", "-qm", "not there")
    assert world.promote(made).outcome == "promoted"


def test_a_file_of_owners_that_the_forge_would_not_read_stops_the_promotion(tmp_path: Path) -> None:
    world = asking(tmp_path)
    owned(world, "* @ada\n" + "#" * 3_000_000)
    made = world.release(ONE)
    approve(world, "ada")
    with pytest.raises(ConfigurationError, match="3,000,007 bytes, and GitHub reads none above"):
        world.promote(made)


def test_in_a_monorepo_the_path_begins_at_its_top(tmp_path: Path) -> None:
    world = asking(tmp_path)
    folder = world.root / "teams" / "tides"
    folder.mkdir(parents=True)
    (folder / "mlops.yaml").write_text("x")
    owned(world, "/teams/ @ada\n", "CODEOWNERS")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "a team")
    repository = GitRepository(folder)
    assert repository.from_top(FILE) == f"teams/tides/{FILE}"
    assert repository.read("CODEOWNERS", ref="main", from_top=True) == b"/teams/ @ada\n"
    assert repository.read("CODEOWNERS", ref="main") is None
    assert repository.changed("main~1", "main") == ["teams/tides/mlops.yaml"]
    site = replace(world.site(), repository=repository)
    assert demand_of(site).owners == ("@ada",)


def test_a_review_that_the_forge_gives_no_time_of_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = asking(tmp_path)
    made = world.release(ONE)
    odd = Review(reviewer="ada", commit="c" * 40, verdict="approved", time="")
    monkeypatch.setattr(LocalForge, "reviews", lambda _self, _number: [odd])
    with pytest.raises(IntegrityError, match="a review of pull request 1 cannot be put in order"):
        world.promote(made)


# Windows and freezes.


def calendar(world: World, name: str, *windows: Window, freezes: tuple[Freeze, ...] = ()) -> None:
    world.environments[name] = replace(world.environments[name], windows=windows, freezes=freezes)


def rolled_out(world: World) -> Release:
    """A release in production, and one proposed."""
    world.deliver(ONE)
    return world.release(TWO)


def test_outside_the_windows_nothing_is_merged_and_it_says_when_it_goes_on(world: World) -> None:
    second = rolled_out(world)
    before = world.desired()
    calendar(world, "production", OFFICE)
    assert world.clock.time == SATURDAY
    said = refused(lambda: world.promote(second))
    assert "production takes no release now: outside its windows" in said
    assert "it opens at 2026-11-23T08:00:00.000000Z" in said
    assert world.desired() == before
    world.clock.time = MONDAY
    assert world.promote(second).outcome == "promoted"
    world.require_settled()


def test_in_a_freeze_neither_and_the_reason_is_said(world: World) -> None:
    second = rolled_out(world)
    freeze = Freeze(first=date(2026, 11, 20), last=date(2026, 11, 22), reason="the audit", timezone=ZURICH)
    calendar(world, "production", freezes=(freeze,))
    said = refused(lambda: world.promote(second))
    assert "frozen until the end of 2026-11-22 Europe/Zurich: the audit; it opens at 2026-11-22T23:00" in said
    calendar(world, "production", freezes=(replace(freeze, last=None),))
    said = refused(lambda: world.promote(second))
    assert "it never opens, as mlops.yaml has it" in said
    assert "change windows or freeze in mlops.yaml" in said


def test_a_merge_by_hand_waits_for_the_window(world: World) -> None:
    second = rolled_out(world)
    calendar(world, "production", OFFICE)
    (pull,) = world.forge.open_pull_requests("mlops-ci/promote/")
    world.git("merge", "-q", "--no-ff", "-m", "by hand", pull.branch)
    serving = world.serving()
    assert "it opens at 2026-11-23T08:00" in refused(world.reconcile)
    assert (world.serving(), list(world.machine.running["production"])) == (serving, [serving])
    world.clock.time = MONDAY
    assert world.reconcile().release == second.id
    world.require_settled()


def test_a_release_waits_for_the_first_environments_window(world: World) -> None:
    calendar(world, "qa", OFFICE)
    made = world.register(ONE)
    assert "qa takes no release now" in refused(lambda: deploy(world.site("qa"), made))
    assert (world.desired("qa"), world.machine.running.get("qa", {})) == (None, {})
    world.clock.time = MONDAY
    assert deploy(world.site("qa"), made).outcome == "deployed"


def test_a_rollback_and_what_was_let_in_do_not_wait(world: World) -> None:
    second = rolled_out(world)
    world.promote(second)
    calendar(world, "production", OFFICE)
    assert roll_back(world.site(), reason="worse").outcome == "rolled-back"
    assert world.reconcile().outcome == "unchanged"
    world.require_settled()


def test_going_back_by_a_revert_in_git_does_not_wait_either(world: World) -> None:
    first = world.deliver(ONE)
    second = world.deliver(TWO)
    assert world.serving() == second.id
    calendar(world, "production", OFFICE)
    path = world.root / FILE
    path.write_text(path.read_text().replace(second.id, first.id))
    world.git("commit", "-qam", "back")
    assert world.reconcile().release == first.id


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


def kill(_site: Site, *_: Any, **__: Any) -> None:
    raise Killed


def test_what_was_merged_within_the_window_is_finished_after_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second = rolled_out(world)
    calendar(world, "production", OFFICE)
    world.clock.time = MONDAY + timedelta(hours=6, minutes=59)
    with monkeypatch.context() as patched:
        patched.setattr(Site, "start", kill)
        with pytest.raises(Killed):
            world.promote(second)
    assert (world.desired() == second.id, world.serving() == second.id) == (True, False)
    world.clock.time += timedelta(hours=2)
    assert world.reconcile().outcome == "promoted"
    world.require_settled()
    world.clock.time += timedelta(hours=1)
    assert "takes no release now" in refused(lambda: world.promote(world.release(Line(slope=1.02))))


def test_an_approval_that_no_merge_came_after_lets_nothing_in_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = rolled_out(world)
    calendar(world, "production", OFFICE)
    world.clock.time = MONDAY
    with monkeypatch.context() as patched:
        patched.setattr(type(world.forge), "merge", kill)
        with pytest.raises(Killed):
            world.promote(second)
    world.clock.time += timedelta(hours=12)
    assert "takes no release now" in refused(lambda: world.promote(second))
    assert world.desired() != second.id


def test_an_aborted_rollout_is_taken_back_outside_the_window(world: World) -> None:
    second = rolled_out(world)
    serving = world.serving()
    site = world.site()
    site.record("rollout-aborted", release=second.id, share=10, reasons=["worse"], rollback_to=serving)
    calendar(world, "production", OFFICE)
    assert world.reconcile().rejected == second.id
    assert world.serving() == serving


@pytest.mark.parametrize(
    "names", [("only",), ("a", "b-1", "c", "production-eu-west-1-" + "x" * 42, "z9")], ids=["one", "five"]
)
def test_chains_of_any_length_and_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    world = World(tmp_path / "world", names=names)
    made = world.register(ONE)
    deploy(world.site(names[0]), made)
    for name in names[1:]:
        assert world.promote(made, name).outcome == "promoted"
    assert [world.serving(name) for name in names] == [made.id] * len(names)
    world.require_settled()
