module "key" {
  source = "../../../modules/aws/kms"

  name                 = "${var.name}-mlops"
  deletion_window_days = var.trial ? 7 : 30
}

module "store" {
  source = "../../../modules/aws/artifact-store"

  name          = "${var.name}-mlops-store-${local.account}"
  kms_key_arn   = module.key.key_arn
  force_destroy = var.trial
}

module "states" {
  source = "../../../modules/aws/terraform-state"

  name          = "${var.name}-mlops-states-${local.account}"
  kms_key_arn   = module.key.key_arn
  force_destroy = var.trial
}

module "registry" {
  source = "../../../modules/aws/image-registry"

  repositories = toset([for model in keys(var.models) : "${var.name}/${model}"])
  kms_key_arn  = module.key.key_arn
  force_delete = var.trial
}

# No way out into the Internet: images, logs and the store are reached inside.
module "network" {
  source = "../../../modules/aws/network"

  name        = "${var.name}-mlops"
  cidr        = var.cidr
  nat         = "none"
  endpoints   = ["ecr.api", "ecr.dkr", "logs"]
  kms_key_arn = module.key.key_arn
}

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id # bucket names are the world's: the account makes them ours
}
