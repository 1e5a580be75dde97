"""A local AWS account with a store, a registry and roles that the modules made, and its policies as AWS has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infra.moto import Moto, moto_server
from tests.infra.policies import Document
from tests.infra.terraform import Installation, Terraform, attached, copied, without_lifecycle

ACCOUNT = "123456789012"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
ROOT = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

module "kms" {
  source = "../infra/modules/aws/kms"
  name   = "acme-ml"
}

module "store" {
  source            = "../infra/modules/aws/artifact-store"
  name              = "acme-ml-store"
  kms_key_arn       = module.kms.key_arn
  cleaner_role_arns = ["arn:aws:iam::123456789012:role/store-gc"]
}

module "kept" {
  source             = "../infra/modules/aws/artifact-store"
  name               = "acme-ml-kept"
  kms_key_arn        = module.kms.key_arn
  log_retention_days = 30
}

module "registry" {
  source       = "../infra/modules/aws/image-registry"
  repositories = ["acme/flight-delay", "acme/rain"]
  kms_key_arn  = module.kms.key_arn
}

module "oidc" {
  source = "../infra/modules/aws/github-oidc"
}

module "roles" {
  source              = "../infra/modules/aws/github-roles"
  name                = "flight-delay"
  provider_arn        = module.oidc.provider_arn
  repository          = "acme/flight-delay"
  repository_id       = "456789"
  repository_owner_id = "123456"
  workflow_refs       = ["refs/tags/v1.2.0", "9fceb02d0ae598e95dc970b74767f19372d61af8"]
  models              = ["flight-delay"]
  store_bucket_arn    = module.store.bucket_arn
  kms_key_arn         = module.kms.key_arn
  repository_arns     = [module.registry.repository_arns["acme/flight-delay"]]
  data_bucket_arns    = ["arn:aws:s3:::acme-flights"]
  environments = {
    for environment in ["qa", "production"] : environment => {
      name             = "acme_${environment}"
      load_balancer    = "app/acme-${environment}-1a2b3c/50dc6c495c0c9188"
      state_bucket_arn = "arn:aws:s3:::acme-ml-state"
      state_key        = "flight-delay/${environment}.tfstate"
      pass_role_arns   = ["arn:aws:iam::123456789012:role/acme_${environment}-tasks"]
    }
  }
}

output "key_arn" {
  value = module.kms.key_arn
}
"""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the modules made: a local AWS with it, and the documents that AWS keeps."""

    moto: Moto
    installation: Installation
    key_arn: str
    trust: Mapping[str, Document]
    permissions: Mapping[str, tuple[Document, ...]]
    bucket: Document

    def role(self, name: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/flight-delay-{name}"


@contextmanager
def made_account(terraform: Installation, folder: Path) -> Iterator[Account]:
    """The account, as long as the context lasts."""
    without_lifecycle(copied(folder))
    (folder / "root").mkdir()
    (folder / "root/main.tf").write_text(ROOT)
    with moto_server() as moto:
        with attached(terraform, moto.endpoint) as quick:
            root = Terraform(folder=folder / "root", installation=quick, endpoint=moto.endpoint)
            root.init()
            key = root.apply()["key_arn"]
        iam = moto.client("iam")
        trust, permissions = {}, {}
        for role in iam.list_roles()["Roles"]:
            full = role["RoleName"]
            name = full.removeprefix("flight-delay-")
            trust[name] = role["AssumeRolePolicyDocument"]
            named = iam.list_role_policies(RoleName=full)["PolicyNames"]
            found = (iam.get_role_policy(RoleName=full, PolicyName=each)["PolicyDocument"] for each in named)
            permissions[name] = tuple(found)
        bucket = json.loads(moto.client("s3").get_bucket_policy(Bucket="acme-ml-store")["Policy"])
        yield Account(
            moto=moto, installation=terraform, key_arn=key, trust=trust, permissions=permissions, bucket=bucket
        )
