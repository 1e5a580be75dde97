# Terraform writes a remote state down every 20 seconds. An apply that is killed (SIGKILL, a runner that is lost) may have
# made things in between that no state knows, and the next one would fail because they are there. With `adopt` they are
# looked for by their tags and taken over; what the state knows already is left alone.
# Not at every apply: the search lags behind, and may still find what was deleted a minute ago.

data "aws_resourcegroupstaggingapi_resources" "there" {
  count = var.adopt ? 1 : 0

  tag_filter {
    key    = "mlops-ci:environment"
    values = [local.environment.name]
  }

  tag_filter {
    key    = "mlops-ci:model"
    values = [var.serving.model]
  }
}

locals {
  there = [for each in flatten(data.aws_resourcegroupstaggingapi_resources.there[*].resource_tag_mapping_list) : {
    arn     = each.resource_arn
    kind    = split("/", split(":", each.resource_arn)[5])[0] # arn:aws:ecs:region:account:service/cluster/name
    release = lookup(each.tags, "mlops-ci:release", "")
  }]
  of_release = { for kind in ["targetgroup", "listener-rule", "service"] : kind => {
    for each in local.there : each.release => each.arn
    if each.kind == kind && contains(keys(var.serving.releases), each.release)
  } }
}

import {
  for_each = local.of_release["targetgroup"]
  to       = module.scoring.aws_lb_target_group.release[each.key]
  id       = each.value
}

import {
  for_each = local.of_release["listener-rule"]
  to       = module.scoring.aws_lb_listener_rule.release[each.key]
  id       = each.value
}

import {
  for_each = local.of_release["service"]
  to       = module.scoring.aws_ecs_service.release[each.key]
  id       = join("/", slice(split("/", each.value), 1, 3))
}

import {
  for_each = toset([for each in local.there : each.arn if each.kind == "listener-rule" && each.release == ""])
  to       = module.scoring.aws_lb_listener_rule.stable
  id       = each.value
}

import {
  for_each = toset([for each in local.there : split(":log-group:", each.arn)[1] if strcontains(each.arn, ":log-group:")])
  to       = module.scoring.aws_cloudwatch_log_group.scoring
  id       = trimsuffix(each.value, ":*")
}
