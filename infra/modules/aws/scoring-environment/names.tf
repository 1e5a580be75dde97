data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # No name has an underscore in it, so that two joined names are alike only where both parts are.
  name = "${var.name}_${var.environment}"

  # Load balancers take 32 letters, digits and single hyphens: what is cut off or replaced is told apart by the hash.
  readable = trim(substr(replace(replace(local.name, "_", "-"), "/-+/", "-"), 0, 25), "-")
  balancer = "${local.readable}-${substr(sha256(local.name), 0, 6)}"

  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  log_groups = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/mlops-ci/${local.name}/*"
}
