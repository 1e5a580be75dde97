"""The policies of the AWS modules as an attacker reads them: who gets which role, and what a role may do.

The documents are those that Terraform made in a local AWS; tests/infra/policies.py decides as AWS does.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.account import ACCOUNT, PROVIDER, Account
from tests.infra.policies import Document, Request, allowed, decide, may_assume
from tests.infra.requests_to_aws import ASKED, KEY, STORE, Ask
from tests.infra.tokens import HOSTILE, MEANT, PULL, ROLES, token

pytestmark = pytest.mark.terraform

WORKFLOWS = Path(__file__).parents[2] / ".github/workflows"

# -- who gets a role ---------------------------------------------------------------------------------------------------


def at_qa(claims: Mapping[str, str]) -> dict[str, str]:
    """The same attempt at the other environment."""
    return {claim: value.replace("production", "qa") for claim, value in claims.items()}


def gets(account: Account, claims: Mapping[str, str]) -> set[str]:
    return {role for role, document in account.trust.items() if may_assume(document, claims, PROVIDER)}


@pytest.mark.parametrize("job", MEANT)
def test_a_job_gets_its_role_and_no_other(account: Account, job: str) -> None:
    claims, roles = MEANT[job]
    assert gets(account, claims) == roles


@pytest.mark.parametrize("attempt", HOSTILE)
def test_nobody_else_gets_any(account: Account, attempt: str) -> None:
    assert gets(account, HOSTILE[attempt]) == set()
    assert gets(account, at_qa(HOSTILE[attempt])) == set()


def jobs_with_an_identity() -> Iterator[tuple[str, str, str]]:
    """Workflow, job and environment of all jobs of our reusable workflows that sign in to a cloud."""
    for path in sorted(WORKFLOWS.glob("model-*.yml")):
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            if any("/actions/identity@" in step.get("uses", "") for step in job.get("steps", ())):
                yield path.stem.removeprefix("model-"), name, str(job.get("environment", ""))


def test_every_job_that_asks_for_an_identity_gets_one_role(account: Account) -> None:
    found = list(jobs_with_an_identity())
    assert len(found) >= 8
    for workflow, job, environment in found:
        named = "mlops-ci-admit" if "admit" in environment else "production" if environment else None
        when: dict[str, Any] = PULL if workflow == "pull-request" else {}
        assert len(gets(account, token(workflow, environment=named, **when))) == 1, (workflow, job)


def test_only_githubs_provider_is_believed(account: Account) -> None:
    assert set(account.trust) == ROLES
    other = PROVIDER.replace("token.actions.githubusercontent.com", "gitlab.com")
    for claims, _ in MEANT.values():
        assert not any(may_assume(document, claims, other) for document in account.trust.values())


def test_each_condition_of_the_trust_keeps_somebody_out(account: Account) -> None:
    """Without any one of them some attempt above succeeds: none is there for show, and the attempts reach all."""
    attempts = [*HOSTILE.values(), *map(at_qa, HOSTILE.values())]
    idle = []
    for role, document in account.trust.items():
        for (weaker,), missing in without_a_condition([document]):
            if not any(may_assume(weaker, claims, PROVIDER) for claims in attempts):
                idle.append((role, missing))
    assert idle == []


# -- what a role may do ------------------------------------------------------------------------------------------------


def may(account: Account, role: str, ask: Ask, own: Sequence[Document], bucket: Document | None) -> bool:
    """Whether a role with these documents gets what is asked for."""
    action, resource, context, _ = ask
    known = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", **context}
    known = {key: account.key_arn if value == KEY else value for key, value in known.items()}
    named = account.key_arn if resource == KEY else resource
    request = Request(action=action, resource=named, principal=account.role(role), context=known)
    return allowed(request, identity=own, resource=bucket if named.startswith(STORE) else None)


@pytest.mark.parametrize("what", ASKED)
def test_what_each_role_may_do(account: Account, what: str) -> None:
    ask = ASKED[what]
    assert {role for role in ROLES if may(account, role, ask, account.permissions[role], account.bucket)} == ask[3]


def test_each_condition_of_the_permissions_keeps_something_out(account: Account) -> None:
    """As with the trust: without any one of them some request above, or the same in qa, passes that did not.

    The bucket's own policy is left out, which has some of them again.
    """
    asked = [*ASKED.values(), *map(in_qa, ASKED.values())]
    idle = []
    for role, documents in account.permissions.items():
        refused = [ask for ask in asked if not may(account, role, ask, documents, None)]
        for weaker, missing in without_a_condition(list(documents)):
            if not any(may(account, role, ask, weaker, None) for ask in refused):
                idle.append((role, missing))
    assert idle == []


def in_qa(ask: Ask) -> Ask:
    """The same request about the other environment, and the other way round."""

    def other(text: str) -> str:
        return re.sub("production|qa", lambda found: "qa" if found[0] == "production" else "production", text)

    action, resource, context, roles = ask
    return action, other(resource), {key: other(value) for key, value in context.items()}, roles


def without_a_condition(documents: list[Document]) -> Iterator[tuple[list[Document], str]]:
    """The documents without one of their conditions, for each of them, and which one it is."""
    for place, document in enumerate(documents):
        for number, statement in enumerate(document["Statement"]):
            for operator, keys in statement.get("Condition", {}).items():
                for key in keys:
                    weaker = copy.deepcopy(documents)
                    del weaker[place]["Statement"][number]["Condition"][operator][key]
                    yield weaker, f"{statement.get('Sid', number)} {operator} {key}"


def test_no_role_has_a_wildcard_where_an_action_or_a_name_belongs(account: Account) -> None:
    without_resources = {
        *("application-autoscaling:Describe*", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"),
        *("cloudwatch:GetMetricStatistics", "ecr:GetAuthorizationToken", "ecs:DeregisterTaskDefinition"),
        *("ecs:DescribeTaskDefinition", "elasticloadbalancing:Describe*", "logs:DescribeLogGroups"),
        "tag:GetResources",
    }
    for role, documents in account.permissions.items():
        for statement in (each for document in documents for each in document["Statement"]):
            assert statement["Effect"] == "Allow"
            assert not {"NotAction", "NotResource"} & set(statement)
            for action in statement["Action"]:
                assert "*" not in action or action in without_resources, (role, action)
            if "*" in statement["Resource"]:
                assert set(statement["Action"]) <= without_resources, (role, statement)


def test_not_even_an_administrator_writes_over_or_removes(account: Account) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    tls = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

    def may(action: str, principal: str = f"arn:aws:iam::{ACCOUNT}:user/root", **context: str) -> bool:
        said = {**tls, "aws:PrincipalArn": principal, **context}
        request = Request(action=action, resource=f"{STORE}/events/m/1.json", principal=principal, context=said)
        return allowed(request, identity=[everything], resource=account.bucket)

    assert may("s3:GetObject")
    assert may("s3:PutObject", **{"s3:if-none-match": "*"})
    assert not may("s3:PutObject")
    assert not may("s3:DeleteObject")
    assert not may("s3:DeleteObjectVersion")
    assert may("s3:DeleteObject", f"arn:aws:iam::{ACCOUNT}:role/store-gc")
    assert not may("s3:DeleteObject", f"arn:aws:iam::{ACCOUNT}:role/store-gc2")
    assert not may("s3:PutObject", f"arn:aws:iam::{ACCOUNT}:role/store-gc")


def test_the_key_is_its_accounts_own(account: Account) -> None:
    """Its policy leaves people to IAM's, and lets in two services, for this account only."""
    kms = account.moto.client("kms")
    document = json.loads(kms.get_key_policy(KeyId=account.key_arn, PolicyName="default")["Policy"])

    def may(principal: str, action: str = "kms:Decrypt", **context: str) -> bool:
        request = Request(action=action, resource=account.key_arn, principal=principal, context=context)
        return decide(document, request) == "allow"

    logs, alarms = "service:logs.eu-central-1.amazonaws.com", "service:cloudwatch.amazonaws.com"
    of_group = "kms:EncryptionContext:aws:logs:arn"
    assert may(f"arn:aws:iam::{ACCOUNT}:role/any")
    assert not may("arn:aws:iam::999999999999:role/any")
    assert may(logs, **{of_group: f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/mlops-ci/x"})
    assert not may(logs, **{of_group: "arn:aws:logs:eu-central-1:999999999999:log-group:/mlops-ci/x"})
    assert not may(logs)
    assert not may(
        "service:logs.us-east-1.amazonaws.com", **{of_group: f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:x"}
    )
    assert may(alarms, **{"aws:SourceAccount": ACCOUNT})
    assert not may(alarms, **{"aws:SourceAccount": "999999999999"})
    assert not may(alarms, "kms:ScheduleKeyDeletion", **{"aws:SourceAccount": ACCOUNT})
    assert not may("service:ec2.amazonaws.com", **{"aws:SourceAccount": ACCOUNT})
