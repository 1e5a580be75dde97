"""The store at work in the bucket that the module makes, with the roles that the modules make.

A gate before the local AWS judges each real request by the bucket's policy and the role's, as S3 does
(tests/infra/aws_server.py), so that a condition that the store's own writes do not meet would be seen here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.errors import OutsideError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import KeptStore
from tests.infra.account import ACCOUNT, Account
from tests.infra.terraform import Terraform, TerraformFailed
from tests.stocked import release, train

pytestmark = pytest.mark.terraform

BUCKET = "acme-ml-store"


def store(account: Account, role: str | None = None, bucket: str = BUCKET) -> KeptStore:
    """The bucket's store, opened with a role of the repository, or as an administrator."""
    credentials = [account.moto.assume(account.role(role))] if role else []
    return open_store(f"s3://{bucket}", options=account.moto.store_options(*credentials))


def code(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("role", ["release", "environment-qa", "environment-production"])
def test_roles_that_write_can_do_all_that_the_store_does(account: Account, role: str) -> None:
    opened = store(account, role)

    made = release(opened, f"by-{role}", 1)

    assert Registry(opened).release(made.id) == made
    assert len(EventLog(opened, SystemClock()).read(f"by-{role}")) == 3
    assert all(Registry(opened).get_blob(digest) for digest in made.files.values())
    assert not opened.create(f"releases/{made.id}.json", b"another one")


def test_a_pull_request_admits_candidates_and_forges_nothing(account: Account) -> None:
    opened = store(account, "admit")

    candidate = train(opened, "admitted", 1)

    assert Registry(opened).find_candidate("admitted", candidate.lock) == candidate
    for path in (
        "versions/admitted/1.json",
        f"releases/{'0' * 64}.json",
        "events/admitted/1.json",
        "packs/admitted/1.jsonl",
    ):
        with pytest.raises(OutsideError, match="AccessDenied"):
            opened.create(path, b"{}")


def test_what_trains_for_a_pull_request_only_reads(account: Account) -> None:
    candidate = train(store(account, "release"), "read", 1)
    opened = store(account, "read")

    assert Registry(opened).find_candidate("read", candidate.lock) == candidate
    with pytest.raises(OutsideError, match="AccessDenied"):
        opened.create("blobs/sha256/aa/of-a-pull-request", b"x")


def test_nobody_removes_or_writes_over(account: Account) -> None:
    store(account, "release").create("events/kept/1.json", b"as it was")
    administrator = account.moto.client("s3")
    for role in (None, "release", "environment-production"):
        s3 = administrator if role is None else account.moto.client("s3", account.moto.assume(account.role(role)))
        with pytest.raises(administrator.exceptions.ClientError) as over:
            s3.put_object(Bucket=BUCKET, Key="events/kept/1.json", Body=b"another")
        with pytest.raises(administrator.exceptions.ClientError) as copied:
            s3.copy_object(Bucket=BUCKET, Key="events/kept/1.json", CopySource=f"{BUCKET}/events/kept/1.json")
        with pytest.raises(administrator.exceptions.ClientError) as removed:
            s3.delete_object(Bucket=BUCKET, Key="events/kept/1.json")
        with pytest.raises(administrator.exceptions.ClientError) as encrypted:
            s3.put_object(Bucket=BUCKET, Key="new", Body=b"x", IfNoneMatch="*", ServerSideEncryption="AES256")
        assert {code(each) for each in (over, copied, removed, encrypted)} == {"AccessDenied"}

    assert store(account, "read").get("events/kept/1.json") == b"as it was"


def test_gc_removes_with_a_role_of_its_own_and_what_it_removed_can_be_had_back(account: Account) -> None:
    left = "blobs/sha256/1d/1d" + "0" * 62
    administrator = store(account)
    administrator.create(left, b"what a killed training left")
    iam, role = account.moto.client("iam"), "store-gc"
    trust = '{"Version": "2012-10-17", "Statement": []}'
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    everything = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=everything)
    credentials = account.moto.assume(f"arn:aws:iam::{ACCOUNT}:role/{role}")
    cleaner = open_store(f"s3://{BUCKET}", options=account.moto.store_options(credentials))

    with pytest.raises(OutsideError, match="AccessDenied"):
        administrator.delete(left)
    cleaner.delete(left)

    assert left not in cleaner.list("blobs")
    versions = account.moto.client("s3").list_object_versions(Bucket=BUCKET, Prefix=left)
    assert len(versions["Versions"]) == len(versions["DeleteMarkers"]) == 1
    assert cleaner.create(left, b"what a killed training left"), "a removed object can be made anew"


def test_the_store_works_under_object_lock(account: Account) -> None:
    """S3 demands a checksum of every put there, and keeps each version until its days are over."""
    opened = store(account, bucket="acme-ml-kept")
    made = release(opened, "kept", 1)

    assert Registry(opened).release(made.id) == made
    s3 = account.moto.client("s3")
    path = f"releases/{made.id}.json"
    assert s3.head_object(Bucket="acme-ml-kept", Key=path)["ObjectLockMode"] == "GOVERNANCE"
    found = s3.list_object_versions(Bucket="acme-ml-kept", Prefix=path)["Versions"]
    with pytest.raises(s3.exceptions.ClientError) as refused:
        s3.delete_object(
            Bucket="acme-ml-kept", Key=path, VersionId=found[0]["VersionId"], BypassGovernanceRetention=True
        )
    assert code(refused) == "AccessDenied"


STATE = """\
terraform {
  backend "s3" {
    bucket       = "acme-ml-state"
    key          = "flight-delay/qa.tfstate"
    use_lockfile = true
  }
}

variable "value" {
  default = 1
}

resource "terraform_data" "this" {
  input = var.value
}
"""


def test_terraform_works_on_the_state_of_its_environment_and_on_no_other(account: Account, tmp_path: Path) -> None:
    """A lock is made and removed, a state written over; another environment's role does not get as far as `init`."""
    account.moto.client("s3").create_bucket(
        Bucket="acme-ml-state", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    (tmp_path / "main.tf").write_text(STATE)

    def root(role: str) -> Terraform:
        credentials = account.moto.assume(account.role(role))
        return Terraform(
            folder=tmp_path, installation=account.installation, endpoint=account.moto.endpoint, environment=credentials
        )

    for role in ("release", "environment-qa"):
        root(role).init("-reconfigure")
        root(role).apply({"value": role})
        assert root(role).said("state", "list").split() == ["terraform_data.this"]

    for role in ("environment-production", "admit", "read"):
        refused = root(role)
        with pytest.raises(TerraformFailed, match=r"AccessDenied|403"):
            refused.said("init", "-reconfigure")
    left = account.moto.client("s3").list_objects_v2(Bucket="acme-ml-state")["Contents"]
    assert [each["Key"] for each in left] == ["flight-delay/qa.tfstate"]
