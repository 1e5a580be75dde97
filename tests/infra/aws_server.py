"""moto's server behind a gate that decides as S3 does who may do what; run as `python -m tests.infra.aws_server`.

moto leaves the conditions of bucket policies aside, and so denies all that a policy denies under a condition. The gate
takes its place: every request for an object is judged by the bucket's policy and, where a role was assumed, by the
role's and for the key (tests/infra/policies.py), with the condition keys that S3 makes of the request's real headers.
Whoever assumed no role is an administrator of the account, whom only the bucket's policy can refuse. Requests count as
sent through TLS, which in the cloud the network sees to. Of what is asked of other services only the action is judged:
whether the role may do it to anything at all. `GET /-/calls` lists each call's service, action and role.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.infra.policies import Document, Request, allowed, grants
from tests.s3 import Faulty

ACCOUNT = "123456789012"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
REFUSED = "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
OF_IAM = {"monitoring": "cloudwatch", "tagging": "tag"}  # services that sign under another name
OF_QUERY = {"retention": "Retention", "legal-hold": "LegalHold", "acl": "Acl", "tagging": "Tagging"}
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who signed a request: an administrator, or a role with its policies."""

    arn: str = f"arn:aws:iam::{ACCOUNT}:user/administrator"
    role: str = ""
    policies: tuple[Document, ...] = (EVERYTHING,)


class Gate:
    """A WSGI application around moto's."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        self._calls: list[dict[str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/-/calls":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self._calls).encode()]
        signed = re.search(
            r"Credential=(\w+)/\d+/[\w-]+/(\w[\w-]*)/aws4_request", environ.get("HTTP_AUTHORIZATION", "")
        )
        if signed:
            identity = identity_of(signed[1])
            problem = refusal(environ, identity) if signed[2] == "s3" else self._refusal(signed[2], environ, identity)
            if problem:
                status, code, message = problem
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response(status, [("Content-Type", "application/xml")])
                return [REFUSED.format(code=code, message=message).encode()]
        if "HTTP_X_AMZ_CHECKSUM_SHA256" in environ:  # S3 asks for the digest; moto for what an SDK says of it besides
            environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "SHA256")
        return self._inner(environ, start_response)

    def _refusal(self, service: str, environ: dict[str, Any], identity: Identity) -> tuple[str, str, str] | None:
        """What a service other than S3 refuses; the call is kept."""
        action = f"{OF_IAM.get(service, service)}:{_operation(environ)}"
        self._calls.append({"service": service, "action": action.partition(":")[2], "role": identity.role})
        if action == "sts:GetCallerIdentity" or grants(action, identity.policies):
            return None
        return "403 Forbidden", "AccessDeniedException", f"{identity.role} may not {action}"


def _operation(environ: dict[str, Any]) -> str:
    """The operation that a request names, in the way of its protocol."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if "/operation/" in environ["PATH_INFO"]:
        return str(environ["PATH_INFO"]).rpartition("/")[2]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]


def identity_of(key_id: str) -> Identity:
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for session in sts_backends[ACCOUNT]["aws"].assumed_roles:
        if session.access_key_id == key_id:
            name = session.role_arn.rpartition("/")[2]
            iam = iam_backends[ACCOUNT]["aws"]
            inline = [iam.get_role_policy(name, each)[1] for each in iam.list_role_policies(name)]
            attached = [each.versions[-1].document for each in iam.list_attached_role_policies(name)[0]]
            policies = tuple(json.loads(each) for each in (*inline, *attached))
            return Identity(arn=session.role_arn, role=name, policies=policies)
    return Identity()


def refusal(environ: dict[str, Any], identity: Identity) -> tuple[str, str, str] | None:
    """Status, code and message of what S3 refuses; None for what it does."""
    bucket_name, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    bucket = _bucket(bucket_name)
    if bucket is None:
        return None
    action = _action(environ, key)
    if action is None:
        return None
    resource = f"arn:aws:s3:::{bucket_name}" + (f"/{key or '*'}" if "Object" in action else "")
    policy = json.loads(bucket.policy) if bucket.policy else None
    request = Request(
        action=action,
        resource=resource,
        principal=identity.arn,
        context=context_of(environ) | {"aws:PrincipalArn": identity.arn},
    )
    if not allowed(request, identity=identity.policies, resource=policy):
        return "403 Forbidden", "AccessDenied", f"{identity.role or 'the administrator'} may not {action} {resource}"
    if action in {"s3:PutObject", "s3:GetObject"} and not _key_allowed(bucket, action, identity):
        return "403 Forbidden", "AccessDenied", f"{identity.role} may not use the bucket's key"
    if action == "s3:PutObject" and bucket.has_default_lock and not _has_checksum(environ):
        # "Managing Object Lock": every put into a bucket with a retention period has to carry a digest of its body.
        return "400 Bad Request", "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required"
    return None


def context_of(environ: dict[str, Any]) -> dict[str, str]:
    """The condition keys that S3 makes of a request's headers and query."""
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
    for name, value in environ.items():
        if name.startswith("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"):
            context["s3:" + name.removeprefix("HTTP_").replace("_", "-").lower()] = value
    for name in ("if-none-match", "if-match"):
        if value := environ.get(f"HTTP_{name.upper().replace('-', '_')}"):
            context[f"s3:{name}"] = value
    if prefix := parse_qs(environ.get("QUERY_STRING", "")).get("prefix"):
        context["s3:prefix"] = prefix[0]
    return context


def _action(environ: dict[str, Any], key: str) -> str | None:
    """The action of IAM for a request on objects or a listing; None for what is asked of a bucket otherwise."""
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if not key:
        if method in {"GET", "HEAD"} and not set(query) - {
            "list-type",
            "prefix",
            "delimiter",
            "max-keys",
            "start-after",
            "continuation-token",
            "encoding-type",
            "marker",
        }:
            return "s3:ListBucket"
        return "s3:DeleteObject" if method == "POST" and "delete" in query else None
    verb = {"PUT": "Put", "POST": "Put", "GET": "Get", "HEAD": "Get", "DELETE": "Delete"}[method]
    special = next((OF_QUERY[name] for name in query if name in OF_QUERY), "")
    version = "Version" if "versionId" in query and verb != "Put" else ""
    return f"s3:{verb}Object{version}{special}"


def _has_checksum(environ: dict[str, Any]) -> bool:
    return any(name == "HTTP_CONTENT_MD5" or name.startswith("HTTP_X_AMZ_CHECKSUM_") for name in environ)


def _key_allowed(bucket: Any, action: str, identity: Identity) -> bool:
    """Whether the caller may use the key that the bucket encrypts with: S3 asks KMS in the caller's name."""
    rule = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    if rule.get("SSEAlgorithm") != "aws:kms":
        return True
    needed = "kms:GenerateDataKey" if action == "s3:PutObject" else "kms:Decrypt"
    context = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    request = Request(action=needed, resource=rule["KMSMasterKeyID"], principal=identity.arn, context=context)
    return allowed(request, identity=identity.policies)


def _bucket(name: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT]["aws"].buckets.get(name)


def _list_rules_by_their_tags() -> None:
    """Lets a search by tags find rules of load balancers, as that of AWS does and moto's does not."""
    from moto.core.resource_tagging import TaggedResource
    from moto.elbv2.models import ELBv2Backend

    others = ELBv2Backend.iter_tagged_resources

    def with_rules(backend: ELBv2Backend) -> Iterator[TaggedResource]:
        yield from others(backend)
        rules = (
            rule
            for each in backend.load_balancers.values()
            for port in each.listeners.values()
            for rule in port.rules.values()
        )
        for rule in rules:
            tags = backend.tagging_service.get_tag_dict_for_resource(rule.arn)
            yield TaggedResource(arn=rule.arn, tags=tags, resource_type="elasticloadbalancing:listener-rule")

    ELBv2Backend.iter_tagged_resources = with_rules  # type: ignore[method-assign]


def main() -> None:
    from moto.iam.access_control import PermissionResult
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import FakeBucket
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: object, **__: object) -> None:
            pass

    _list_rules_by_their_tags()
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL  # type: ignore[method-assign]
    app = Gate(Faulty(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
