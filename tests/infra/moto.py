"""AWS for tests: moto's server behind a gate (tests/infra/aws_server.py), and clients for its services."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.infra.terraform import CREDENTIALS, REGION, ROOT


@dataclass(frozen=True, kw_only=True)
class Moto:
    """One AWS account (123456789012), all of whose regions answer at `endpoint`."""

    endpoint: str

    def client(self, service: str, credentials: Mapping[str, str] = CREDENTIALS) -> Any:
        """A client of boto3, by default an administrator's."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
        )

    def assume(self, role: str) -> dict[str, str]:
        """Credentials of a role by its ARN, as variables. That the role trusts somebody is not looked at here."""
        given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def store_options(self, credentials: Mapping[str, str] = CREDENTIALS) -> dict[str, str]:
        """What `open_store`, and the environment of `mlops-ci`, take to reach buckets here."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, **credentials}

    def calls(self) -> list[dict[str, str]]:
        """Every call so far with `service`, `action` and the assumed `role` ("" for administrators), S3's left out."""
        with urllib.request.urlopen(f"{self.endpoint}/-/calls", timeout=30) as answer:
            found: list[dict[str, str]] = json.load(answer)
        return found

    def reset(self) -> None:
        """Empties the account."""
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


@contextmanager
def moto_server() -> Iterator[Moto]:
    """A server of its own on a free port, for those who keep things in it longer than one test."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.infra.aws_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield Moto(endpoint=server.stdout.readline().strip())
        finally:
            server.terminate()
