data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  name      = "${var.environment.name}_${var.name}"
  family    = "${local.name}_batch"
  volume    = "files"
}

resource "aws_cloudwatch_log_group" "runs" {
  # checkov:skip=CKV_AWS_338: By `log_retention_days`: what was scored is in the store, and the log is for people who look for a fault.
  name              = "/mlops-ci/${var.environment.name}/${var.name}/batch"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.environment.kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_task_definition" "run" {
  family                   = local.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.environment.execution_role_arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  container_definitions = jsonencode([{
    name                   = "run"
    image                  = var.image
    command                = var.command
    essential              = true
    user                   = var.user
    readonlyRootFilesystem = true
    privileged             = false
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    environment            = [for name, value in var.variables : { name = name, value = value }]
    secrets                = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    mountPoints            = var.files == null ? [] : [{ sourceVolume = local.volume, containerPath = var.files.path, readOnly = false }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.runs.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "run"
      }
    }
  }])

  dynamic "volume" {
    for_each = var.files == null ? [] : [var.files]
    content {
      name = local.volume
      efs_volume_configuration {
        file_system_id     = volume.value.file_system_id
        transit_encryption = "ENABLED"
        authorization_config {
          access_point_id = volume.value.access_point_id
          iam             = "ENABLED"
        }
      }
    }
  }
}

resource "aws_security_group" "run" {
  # checkov:skip=CKV2_AWS_5: Attached to each task by the schedule that starts it.
  name        = "${local.name}_batch"
  description = "The batch ${local.name}, which nobody connects to"
  vpc_id      = var.environment.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = toset(var.egress_cidrs)

  security_group_id = aws_security_group.run.id
  description       = "Images, logs and the store"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "files" {
  count = var.files == null ? 0 : 1

  security_group_id            = aws_security_group.run.id
  description                  = "Inputs and outputs"
  referenced_security_group_id = var.files.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  tags                         = var.tags
}
