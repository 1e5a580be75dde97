"""The evaluator of policies decides as the *IAM User Guide* says; each case is one of its sentences."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.policies import Request, UnknownPolicy, allowed, decide, holds, like

ARN = "arn:aws:s3:::bucket/key"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Action": "s3:*", "Resource": "*", **each} for each in statements]}


ALLOW, DENY = {"Effect": "Allow"}, {"Effect": "Deny"}


@pytest.mark.parametrize(
    ("operator", "values", "found", "expected"),
    [
        ("StringEquals", ["a"], "a", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", ["a"], "A", False),
        ("StringEquals", ["a*"], "ab", False),
        ("StringEquals", ["a"], None, False),
        ("StringEqualsIfExists", ["a"], None, True),
        ("StringEqualsIfExists", ["a"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a"], None, True),
        ("StringNotEqualsIfExists", ["a"], None, True),
        ("StringLike", ["repo:acme/*:ref"], "repo:acme/x/y:z:ref", True),
        ("StringLike", ["a?c"], "abc", True),
        ("StringLike", ["a?c"], "ac", False),
        ("StringLike", ["a.c"], "abc", False),
        ("StringLike", ["a*"], None, False),
        ("StringNotLike", ["a*"], "ab", False),
        ("ArnEquals", ["arn:aws:iam::1:role/*"], "arn:aws:iam::1:role/x", True),
        ("ArnLike", ["arn:aws:iam::*:role/x"], "arn:aws:iam::1:user:2:role/x", False),
        ("ArnNotEquals", ["arn:aws:iam::1:role/x"], None, True),
        ("Bool", ["false"], "FALSE", True),
        ("Bool", ["false"], None, False),
        ("NumericLessThan", ["1.2"], "1.1", True),
        ("NumericLessThan", ["1.2"], "1.2", False),
        ("NumericLessThan", ["1.2"], None, False),
        ("Null", ["true"], None, True),
        ("Null", ["true"], "a", False),
        ("Null", ["false"], "a", True),
        ("Null", ["false"], None, False),
    ],
)
def test_conditions(operator: str, values: list[str], found: str | None, expected: bool) -> None:
    context = {} if found is None else {"AWS:Key": found}
    assert holds(operator, "aws:key", values, context) is expected


def test_a_deny_wins_and_silence_is_no() -> None:
    request = Request(action="s3:GetObject", resource=ARN)
    assert decide(document(ALLOW), request) == "allow"
    assert decide(document(ALLOW, DENY), request) == "deny"
    assert decide(document({**ALLOW, "Resource": "arn:aws:s3:::other/*"}), request) == "nothing"
    assert allowed(request, identity=[document(ALLOW)], resource=document(DENY)) is False
    assert allowed(request, identity=[document(ALLOW)], resource=document({**DENY, "Action": "s3:PutObject"})) is True
    assert allowed(request, identity=[]) is False


def test_all_conditions_have_to_hold_and_any_of_their_values() -> None:
    both = {**ALLOW, "Condition": {"StringEquals": {"a": ["1", "2"]}, "Null": {"b": "true"}}}
    assert decide(document(both), Request(action="s3:GetObject", resource=ARN, context={"a": "2"})) == "allow"
    assert (
        decide(document(both), Request(action="s3:GetObject", resource=ARN, context={"a": "2", "b": ""})) == "nothing"
    )
    assert decide(document(both), Request(action="s3:GetObject", resource=ARN, context={"a": "3"})) == "nothing"


def test_actions_are_compared_without_regard_to_case_and_resources_with_it() -> None:
    some = document({**ALLOW, "Action": "S3:Get*", "Resource": "arn:aws:s3:::bucket/Key"})
    assert decide(some, Request(action="s3:getobject", resource="arn:aws:s3:::bucket/Key")) == "allow"
    assert decide(some, Request(action="s3:GetObject", resource=ARN)) == "nothing"
    but = document({"Effect": "Deny", "NotAction": "s3:GetObject", "Action": "unused"})
    assert decide(but, Request(action="s3:GetObject", resource=ARN)) == "nothing"
    assert decide(but, Request(action="s3:PutObject", resource=ARN)) == "deny"


def test_principals() -> None:
    def let_in(principal: Any, who: str) -> bool:
        request = Request(action="s3:GetObject", resource=ARN, principal=who)
        return decide(document({**ALLOW, "Principal": principal}), request) == "allow"

    role = "arn:aws:iam::111122223333:role/x"
    assert let_in("*", role)
    assert let_in({"AWS": role}, role)
    assert let_in({"AWS": "arn:aws:iam::111122223333:root"}, role)
    assert not let_in({"AWS": "arn:aws:iam::999999999999:root"}, role)
    assert not let_in({"Service": "ecs.amazonaws.com"}, role)
    assert let_in({"Federated": "arn:idp"}, "federated:arn:idp")
    assert not let_in({"Federated": "arn:idp"}, "arn:idp")


def test_what_it_does_not_know_it_does_not_pass_over() -> None:
    request = Request(action="s3:GetObject", resource=ARN, context={"a": "1"})
    for unknown in (
        {**ALLOW, "NotPrincipal": "*"},
        {**ALLOW, "Condition": {"IpAddress": {"a": "10.0.0.0/8"}}},
        {**ALLOW, "Condition": {"ForAllValues:StringEquals": {"a": "1"}}},
        {**ALLOW, "Principal": {"CanonicalUser": "x"}},
        {"Effect": "allow"},
    ):
        with pytest.raises(UnknownPolicy):
            decide(document(unknown), request)
    with pytest.raises(UnknownPolicy):
        decide({**document(ALLOW), "Version": "2008-10-17"}, request)


def test_wildcards_stand_for_slashes_and_colons_and_for_nothing_else_than_they_say() -> None:
    assert like("a*", "a/b:c\nd")
    assert not like("*b", "a/b:c")
    assert not like("[a]", "a")
