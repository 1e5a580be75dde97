# Both roles are made here and not with each service, so that who deploys models needs no right to make roles.

data "aws_iam_policy_document" "tasks_only" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

# What ECS does for a task: pull its image, write its log.
resource "aws_iam_role" "execution" {
  name               = "${local.name}_execution"
  description        = "Pulls the images and writes the logs of ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.tasks_only.json
  tags               = var.tags
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"] # knows no resources
    resources = ["*"]
  }

  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = var.repository_arns
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [local.log_groups]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "pull-and-log"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What a scoring service may do in AWS: nothing.
resource "aws_iam_role" "task" {
  name               = "${local.name}_task"
  description        = "The scoring services of ${local.name}, which need no rights"
  assume_role_policy = data.aws_iam_policy_document.tasks_only.json
  tags               = var.tags
}
