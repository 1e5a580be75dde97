data "aws_region" "current" {}

locals {
  path     = "/${var.serving.environment}/${var.serving.model}"
  address  = coalesce(var.public_url, var.environment.address)
  short    = { for id in keys(var.serving.releases) : id => substr(id, 0, 12) }
  routed   = { for id, release in var.serving.releases : id => release.share if release.share > 0 }
  readable = trim(replace(substr(var.serving.model, 0, 19), "/-+/", "-"), "-")

  # Target groups have 32 characters and share one room with those of the whole account: what tells them apart is the
  # hash. The network is part of it, since a group of another network is another group.
  groups = {
    for id in keys(var.serving.releases) :
    id => "${local.readable}-${substr(sha256(join(" ", [var.environment.name, var.environment.vpc_id, var.serving.model, id])), 0, 12)}"
  }

  # The first rule that fits is the one that counts, and the path of a release is below that of the model. So the
  # model's own rule is the last of the slot's thousand. A release has its number from its id and keeps it whatever else
  # is served; only where two would have the same one, both take one from other digits while they are side by side.
  # (A number that moves to one that is just given up would be refused: rules are changed before others are deleted.)
  priority = var.slot * 1000
  first    = { for id in keys(var.serving.releases) : id => 1 + parseint(substr(id, 0, 8), 16) % 499 }
  second   = { for id in keys(var.serving.releases) : id => 500 + parseint(substr(id, 8, 8), 16) % 499 }
  priorities = {
    for id, number in local.first :
    id => local.priority + (length([for other in values(local.first) : other if other == number]) == 1 ? number : local.second[id])
  }

  tags = merge(var.tags, {
    "mlops-ci:environment" = var.environment.name
    "mlops-ci:model"       = var.serving.model
  })
  release_tags = {
    for id, release in var.serving.releases :
    id => merge(local.tags, { "mlops-ci:release" = id, "mlops-ci:version" = tostring(release.version) })
  }
}
