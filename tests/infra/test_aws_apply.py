"""Both roots of aws-complete, really planned, applied, changed, killed and destroyed, with moto as AWS.

Two platforms share the account, with names that would be the same if they were merely joined: `acme` has the
environment `qa-x`, `acme-qa` has `x`, and both serve the model `late`. The states of services are in S3, where
Terraform writes them down every 20 seconds only: what a killed apply has made since is in no state.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.infra.aws_complete import Account, Command, Platform, release, settled
from tests.infra.moto import Moto, moto_server
from tests.infra.terraform import Installation, changes, copied

pytestmark = pytest.mark.terraform
FIRST, SECOND = "1" * 64, "2" * 64
WAITING_FOR_NOTHING = 'resource "aws_s3_bucket_lifecycle_configuration" "this" {\n  count = 0\n}\n'


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, terraform: Installation) -> Iterator[Account]:
    """An account with both platforms. The apply of the second one was killed while its load balancer was made."""
    with moto_server() as moto:
        platforms: list[Platform] = []
        for name, environment in (("acme", "qa-x"), ("acme-qa", "x")):
            folder = tmp_path_factory.mktemp(name)
            modules = copied(folder) / "modules/aws"
            for module in ("artifact-store", "terraform-state"):  # moto needs a minute until such a rule is steady
                (modules / module / "lifecycle_override.tf").write_text(WAITING_FOR_NOTHING)
            platform = Platform(
                name=name, environment=environment, folder=folder, terraform=terraform, endpoint=moto.endpoint,
                first_of_the_account=not platforms,
            )  # fmt: skip
            platform.root.init()
            platforms.append(platform)
        account = Account(moto=moto, platforms=(platforms[0], platforms[1]))
        _apply_both(account)
        yield account


def _apply_both(account: Account) -> None:
    first, second = account.platforms
    balancers = account.moto.client("elbv2").describe_load_balancers
    running = Command("apply", first.root, first.variables())
    try:
        dying = Command("apply", second.root, second.variables())
        try:
            dying.wait_until(lambda: len(balancers()["LoadBalancers"]) == 2)
            _wait_until_quiet(account.moto)
        finally:
            dying.kill()
        second.root.apply(second.variables(adopt=True))
    finally:
        running.finish()


def _wait_until_quiet(moto: Moto) -> None:
    """Until both wait for their load balancers, which AWS makes in minutes and moto at once."""
    seen, since = 0, time.monotonic()
    while time.monotonic() - since < 3.0:
        calls = len(moto.calls())
        if calls != seen:
            seen, since = calls, time.monotonic()
        time.sleep(0.2)


def test_a_second_plan_is_clean_and_there_is_one_of_everything(account: Account) -> None:
    platform = account.platforms[1]  # the one whose apply was killed
    assert settled(platform.root.plan(platform.variables()))
    assert len(account.moto.client("elbv2").describe_load_balancers()["LoadBalancers"]) == 2


def test_a_killed_apply_is_finished_by_the_next_one_and_leaves_nothing_behind(account: Account) -> None:
    platform = account.platforms[0]
    platform.open_state()
    wanted = platform.serve({FIRST: release(1, 0)}, adopt=True)
    serving = platform.serving
    for made in (account.groups, lambda: account.services(platform.scope)):
        dying = Command("apply", serving, wanted)
        try:
            dying.wait_until(made)
        finally:
            dying.kill()
        for lock in account.locks(platform):
            serving.said("force-unlock", "-force", lock)

    outputs = serving.apply(wanted)

    assert outputs["serving"]["releases"][FIRST]["share"] == 0
    assert len(account.groups()) == len(account.services(platform.scope)) == 1
    assert set(account.rules(platform.scope)) == {"/qa-x/late", "/qa-x/late/releases/111111111111"}
    assert settled(serving.plan(platform.serve({FIRST: release(1, 0)})))


def test_releases_come_share_and_go(account: Account) -> None:
    platform = account.platforms[0]
    serving, stable = platform.serving, "/qa-x/late"

    outputs = serving.apply(platform.serve({FIRST: release(1, 100)}))
    (group,) = account.groups()
    assert account.rules(platform.scope)[stable] == (50_000, {group: 100})
    assert outputs["url"].endswith(stable)
    assert outputs["releases"][FIRST]["url"] == f"{outputs['url']}/releases/111111111111"
    assert group.endswith(outputs["traffic"]["target_groups"][FIRST])

    both = platform.serve({FIRST: release(1, 90), SECOND: release(2, 10)}, public_url="https://models.example.com")
    outputs = serving.apply(both)
    other = next(arn for arn in account.groups() if arn != group)
    assert outputs["url"] == "https://models.example.com/qa-x/late"
    assert account.rules(platform.scope)[stable] == (50_000, {group: 90, other: 10})
    assert all(rule[0] < 50_000 for path, rule in account.rules(platform.scope).items() if path != stable)

    plan = serving.plan(platform.serve({SECOND: release(2, 100)}))
    gone = {address for address, actions in changes(plan).items() if "delete" in actions}
    assert gone
    assert all(f'["{FIRST}"]' in address for address in gone), "only what is the old release's is taken away"
    serving.apply(file="plan")
    assert account.rules(platform.scope)[stable] == (50_000, {other: 100})
    assert list(account.groups()) == [other]
    assert account.services(platform.scope) == {"late_222222222222"}


def test_two_platforms_side_by_side_do_not_meet(account: Account) -> None:
    first, second = account.platforms
    second.open_state()
    second.serving.apply(second.serve({SECOND: release(2, 100)}))

    assert len(set(account.groups().values())) == 2, "the same model and release, in two environments"
    assert set(account.rules(first.scope)) == {"/qa-x/late", "/qa-x/late/releases/222222222222"}
    assert set(account.rules(second.scope)) == {"/x/late", "/x/late/releases/222222222222"}
    assert account.services(first.scope) == account.services(second.scope) == {"late_222222222222"}


@pytest.mark.long
def test_values_that_nobody_means_are_refused(account: Account) -> None:
    """By both roots themselves; what the modules refuse is in their own tests."""
    for root in (account.platforms[0].root, account.platforms[0].serving):
        said = root.test()
        assert re.search(r"Success! \d+ passed, 0 failed", said), said


def test_nothing_is_left_when_all_is_destroyed(account: Account) -> None:
    releases = {SECOND: release(2, 100)}
    services = [Command("destroy", each.serving, each.serve(releases)) for each in account.platforms]
    for service in services:
        service.finish()
    account.forget_locks()
    platforms = [Command("destroy", each.root, each.variables()) for each in account.platforms]
    for platform in platforms:
        platform.finish()

    scopes = [each.scope for each in account.platforms]
    told = account.moto.client("ecs").describe_clusters(clusters=scopes)["clusters"]
    assert {each["status"] for each in told} <= {"INACTIVE"}
    assert not account.everything()
    assert not account.moto.client("s3").list_buckets()["Buckets"]
    assert not account.groups()
