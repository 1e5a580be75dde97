"""Decides as AWS does whether policy documents let a request pass: for tests that read documents as an attacker would.

It knows what the documents of infra/modules/aws use, and refuses what it does not know (`UnknownPolicy`), so that no
statement is passed over in silence. Written after *IAM User Guide*: "Policy evaluation logic", "Condition operators"
(a key that the request lacks makes every operator false, but those that negate, those that end in IfExists, and Null),
"Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Document = Mapping[str, Any]
Decision = Literal["allow", "deny", "nothing"]
STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}
NEGATED = ("StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike")
GITHUB = "token.actions.githubusercontent.com"
# What STS compares of GitHub's claims (IAM User Guide, "Available keys for AWS OIDC federation", since February 2026).
CLAIMS = (
    *("aud", "sub", "actor", "actor_id", "job_workflow_ref", "repository", "repository_id", "workflow", "ref"),
    *("environment", "enterprise_id"),
)


class UnknownPolicy(AssertionError):
    """The document says something that this evaluator does not know."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who asks (an ARN, or a service's name), for what, and the condition keys that come with it."""

    action: str
    resource: str = "*"
    principal: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def decide(document: Document, request: Request) -> Decision:
    """What one document says: a deny wins over an allow, and without either it says nothing."""
    if document.get("Version") != "2012-10-17":
        raise UnknownPolicy(f"version {document.get('Version')}")
    listed = document["Statement"]
    statements = listed if isinstance(listed, list) else [listed]
    said = {statement["Effect"] for statement in statements if applies(statement, request)}
    return "deny" if "Deny" in said else "allow" if "Allow" in said else "nothing"


def allowed(request: Request, *, identity: Iterable[Document], resource: Document | None = None) -> bool:
    """Whether a request within one account passes: some document allows it, and none denies it.

    That the identity's or the resource's permission is enough holds within an account for all but roles' trust and
    keys of KMS, which have to be asked for by themselves.
    """
    said = [decide(document, request) for document in identity]
    if resource is not None:
        said.append(decide(resource, request))
    return "allow" in said and "deny" not in said


def grants(action: str, documents: Iterable[Document]) -> bool:
    """Whether some statement allows the action at all, on whatever resource and under whatever conditions."""
    statements = [each for document in documents for each in document["Statement"]]
    return any(each["Effect"] == "Allow" and _action(each, action) for each in statements)


def may_assume(trust: Document, claims: Mapping[str, str], provider: str) -> bool:
    """Whether a role's trust policy lets in who holds GitHub's token with these claims."""
    context = {f"{GITHUB}:{name}": claims[name] for name in CLAIMS if name in claims}
    request = Request(action="sts:AssumeRoleWithWebIdentity", principal=f"federated:{provider}", context=context)
    return decide(trust, request) == "allow"


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - STATEMENT
    if unknown or statement["Effect"] not in {"Allow", "Deny"}:
        raise UnknownPolicy(f"{sorted(unknown)} in {statement}")
    return (
        _action(statement, request.action)
        and _resource(statement, request.resource)
        and _principal(statement.get("Principal"), request.principal)
        and all(
            holds(operator, key, _listed(values), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def holds(operator: str, key: str, values: Sequence[str], context: Mapping[str, str]) -> bool:
    """Whether one condition holds. Keys are compared without regard to case, as IAM does; values are not."""
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return (found is None) == (values == ["true"])
    plain, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    if found is None:
        return if_exists or plain in NEGATED
    if plain in NEGATED:
        return not holds(plain.replace("Not", "", 1), key, values, context)
    return any(_compared(plain, found, value) for value in values)


def _compared(operator: str, found: str, value: str) -> bool:
    match operator:
        case "StringEquals":
            return found == value
        case "StringEqualsIgnoreCase" | "Bool":
            return found.lower() == value.lower()
        case "StringLike":
            return like(value, found)
        case "ArnEquals" | "ArnLike":  # the same in IAM: part by part
            wanted, parts = value.split(":", 5), found.split(":", 5)
            return len(wanted) == len(parts) and all(map(like, wanted, parts))
        case "NumericLessThan":
            return float(found) < float(value)
    raise UnknownPolicy(operator)


def like(pattern: str, text: str) -> bool:
    """`*` stands for any text, `/` and `:` included, and `?` for one character."""
    parts = (".*" if mark == "*" else "." if mark == "?" else re.escape(mark) for mark in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(like(each.lower(), action.lower()) for each in _listed(statement["NotAction"]))
    return any(like(each.lower(), action.lower()) for each in _listed(statement["Action"]))


def _resource(statement: Mapping[str, Any], resource: str) -> bool:
    if "NotResource" in statement:
        return not any(like(each, resource) for each in _listed(statement["NotResource"]))
    if "Resource" not in statement:  # a trust policy: the role is the resource
        return True
    return any(like(each, resource) for each in _listed(statement["Resource"]))


def _principal(stated: Any, principal: str) -> bool:
    if stated is None or stated == "*":  # a policy of an identity states none
        return True
    kinds = {"AWS": "", "Service": "service:", "Federated": "federated:"}
    if set(stated) - set(kinds):
        raise UnknownPolicy(f"principal {stated}")
    for kind, mark in kinds.items():
        for each in _listed(stated.get(kind, [])):
            if each == "*" or f"{mark}{each}" == principal:
                return True
            account = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root", each)
            if account and kind == "AWS" and re.match(rf"arn:[\w-]+:(iam|sts)::{account[1]}:", principal):
                return True
    return False


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
