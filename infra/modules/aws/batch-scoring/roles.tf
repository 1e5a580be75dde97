# What the run itself may do.
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
  }
}

resource "aws_iam_role" "task" {
  name               = substr("${local.name}_batch", 0, 64)
  description        = "The batch ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.tasks_only.json
  tags               = var.tags

  lifecycle {
    precondition {
      condition     = length("${local.name}_scheduler") <= 64
      error_message = "The names of environment and batch are too long together for a role's name (64 characters)."
    }
  }
}

resource "aws_iam_role_policy" "task" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.task.id
  policy = each.value
}

data "aws_iam_policy_document" "files" {
  count = var.files == null ? 0 : 1

  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [var.files.file_system_arn]

    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [var.files.access_point_arn]
    }
  }
}

resource "aws_iam_role_policy" "files" {
  count = var.files == null ? 0 : 1

  name   = "files"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.files[0].json
}

# What the schedule may do: start this task, and pass on its two roles.
data "aws_iam_policy_document" "scheduler_only" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = substr("${local.name}_scheduler", 0, 64)
  description        = "Starts the batch ${local.name}"
  assume_role_policy = data.aws_iam_policy_document.scheduler_only.json
  tags               = var.tags
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Start"
    actions   = ["ecs:RunTask"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.family}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.environment.cluster_arn]
    }
  }

  statement {
    sid       = "PassOn"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task.arn, var.environment.execution_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "SetAside"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.not_started.arn]
  }

  statement {
    sid       = "SetAsideEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.environment.kms_key_arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "start"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
