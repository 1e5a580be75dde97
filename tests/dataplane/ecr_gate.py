"""A gate before a registry of this machine, which lets in and out what ECR would by the repositories that moto has.

As ECR does: whoever has no token of `GetAuthorizationToken` is asked for one; a repository has to be made before it is
pushed to; a tag of a repository with immutable tags is never pushed a second time, not even with the same content
(aws/containers-roadmap, issue 2179). Content is kept by the real registry behind it, by digest.

Not modelled: who may do what by IAM, scans, lifecycle rules, encryption, and that moto knows of no images. The
registry's own name, `<account>.dkr.ecr.<region>…`, is an address of this machine here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

from tests.dataplane.forwarding import Answered, Asked, Hand, forwarding
from tests.docker_engine import ImageRegistry
from tests.infra.moto import Moto

CONTENT = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.*)")


@dataclass(frozen=True, kw_only=True)
class EcrGate:
    """`address` takes the place of the registry's name in images. `refused` is what it said no to."""

    address: str
    token: str
    registry: ImageRegistry
    refused: list[str] = field(default_factory=list)

    def docker_config(self) -> dict[str, Any]:
        """What `aws ecr get-login-password | docker login` leaves in `config.json`."""
        return {"auths": {self.address: {"auth": self.token}}}

    @property
    def auth(self) -> dict[str, str]:
        """The same as the Docker SDK's `auth_config`."""
        user, _, password = base64.b64decode(self.token).decode().partition(":")
        return {"username": user, "password": password}

    def digest(self, repository: str, tag: str) -> str:
        return self.registry.digest(repository, tag)


def _no(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answered:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answered(status=status, headers={"Content-Type": "application/json", **(headers or {})}, body=body)


def _has(registry: ImageRegistry, repository: str, tag: str) -> bool:
    try:
        return bool(registry.digest(repository, tag))
    except HTTPError as error:
        error.close()
        return False


@contextmanager
def ecr_gate(registry: ImageRegistry, moto: Moto) -> Iterator[EcrGate]:
    client = moto.client("ecr")
    token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    refused: list[str] = []

    def refuse(status: int, code: str, message: str) -> Answered:
        refused.append(message)
        return _no(status, code, message)

    def decide(asked: Asked, hand: Hand) -> Answered:
        if asked.headers.get("authorization") != f"Basic {token}":
            challenge = {"Www-Authenticate": 'Basic realm="ecr",service="ecr.amazonaws.com"'}
            return _no(401, "UNAUTHORIZED", "no basic auth credentials", challenge)  # everybody is asked once
        found = CONTENT.fullmatch(asked.path.partition("?")[0])
        if found is None:
            return hand(asked)
        name = found["repository"]
        known = {each["repositoryName"]: each for each in client.describe_repositories()["repositories"]}
        if name not in known:
            return refuse(404, "NAME_UNKNOWN", f"The repository with name '{name}' does not exist in the registry")
        tag = found["rest"]
        immutable = known[name]["imageTagMutability"] == "IMMUTABLE"
        is_push = asked.method == "PUT" and found["kind"] == "manifests" and not tag.startswith("sha256:")
        if is_push and immutable and _has(registry, name, tag):
            message = (
                f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten "
                "because the repository is immutable."
            )
            return refuse(400, "TAG_INVALID", message)
        return hand(asked)

    with forwarding(f"http://{registry.address}", decide) as url:
        yield EcrGate(address=url.removeprefix("http://"), token=token, registry=registry, refused=refused)
