# Who may take on which role. Every statement names the audience, the repository by its number, the subjects, and the
# reusable workflow that the job belongs to; those that change what serves name the branch, too, since the name of an
# environment, and a call of a reusable workflow, can be written into any workflow file of any branch.
# STS compares these claims since February 2026. Where it does not know one, nobody gets in.
locals {
  claims = "token.actions.githubusercontent.com"
  main   = "refs/heads/${var.main_branch}"

  # Both of GitHub's formats: with the numbers for repositories made, renamed or moved since July 2026.
  subjects = [
    "repo:${var.repository}",
    "repo:${split("/", var.repository)[0]}@${var.repository_owner_id}/${split("/", var.repository)[1]}@${var.repository_id}",
  ]

  workflows = {
    for name in ["model-pull-request", "model-release", "model-retrain", "model-monitor", "model-score", "model-promote", "model-rollback"] :
    name => [for ref in var.workflow_refs : "${var.workflow_repository}/.github/workflows/${name}.yml@${ref}"]
  }

  everywhere = {
    "${local.claims}:aud"           = "sts.amazonaws.com"
    "${local.claims}:repository_id" = var.repository_id
  }

  trusted = merge(
    {
      # The code of a pull request runs with this one, and can ask for it.
      read = [
        {
          StringEquals = merge(local.everywhere, {
            "${local.claims}:sub"              = [for each in local.subjects : "${each}:pull_request"]
            "${local.claims}:job_workflow_ref" = local.workflows["model-pull-request"]
          })
        },
        {
          # The merge queue's branches, and those of our own pull requests, whose checks are started by hand.
          StringEquals = merge(local.everywhere, { "${local.claims}:job_workflow_ref" = local.workflows["model-pull-request"] })
          StringLike = {
            "${local.claims}:sub" = flatten([for each in local.subjects : [
              "${each}:ref:refs/heads/gh-readonly-queue/${var.main_branch}/*",
              "${each}:ref:refs/heads/mlops-ci/*",
            ]])
          }
        },
      ]

      # Runs for every branch, but none of its code.
      admit = [{
        StringEquals = merge(local.everywhere, {
          "${local.claims}:sub"              = [for each in local.subjects : "${each}:environment:${var.admit_environment}"]
          "${local.claims}:job_workflow_ref" = local.workflows["model-pull-request"]
        })
      }]

      release = [{
        StringEquals = merge(local.everywhere, {
          "${local.claims}:sub"              = [for each in local.subjects : "${each}:ref:${local.main}"]
          "${local.claims}:ref"              = local.main
          "${local.claims}:job_workflow_ref" = flatten([for each in ["model-release", "model-retrain", "model-monitor", "model-score"] : local.workflows[each]])
        })
      }]
    },
    {
      for environment in keys(var.environments) : "environment-${environment}" => [{
        StringEquals = merge(local.everywhere, {
          "${local.claims}:sub"              = [for each in local.subjects : "${each}:environment:${environment}"]
          "${local.claims}:ref"              = local.main
          "${local.claims}:job_workflow_ref" = flatten([for each in ["model-promote", "model-rollback"] : local.workflows[each]])
        })
      }]
    },
  )
}

locals {
  trust = {
    for role, conditions in local.trusted : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for condition in conditions : {
          Effect    = "Allow"
          Principal = { Federated = var.provider_arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = condition
        }
      ]
    })
  }
}

resource "aws_iam_role" "this" {
  for_each             = local.trusted
  name                 = "${var.name}-${each.key}"
  description          = "Jobs of ${var.repository}: ${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = local.trust[each.key]

  lifecycle {
    precondition {
      condition     = length(local.trust[each.key]) <= 2048
      error_message = "IAM takes 2048 characters of trust for a role. Name fewer `workflow_refs`."
    }
  }
}
