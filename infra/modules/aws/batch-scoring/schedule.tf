resource "aws_scheduler_schedule" "run" {
  name                         = local.name
  description                  = "The batch ${local.name}"
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.timezone
  state                        = var.enabled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = var.environment.kms_key_arn

  depends_on = [aws_iam_role_policy.scheduler]

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.environment.cluster_arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      task_definition_arn     = aws_ecs_task_definition.run.arn
      launch_type             = "FARGATE"
      platform_version        = "1.4.0"
      task_count              = 1
      enable_ecs_managed_tags = true
      propagate_tags          = "TASK_DEFINITION"

      network_configuration {
        subnets          = var.environment.subnet_ids
        security_groups  = [aws_security_group.run.id]
        assign_public_ip = false
      }
    }

    dead_letter_config {
      arn = aws_sqs_queue.not_started.arn
    }

    retry_policy {
      maximum_retry_attempts       = var.attempts
      maximum_event_age_in_seconds = 3600
    }
  }
}

resource "aws_sqs_queue" "not_started" {
  name                      = "${local.name}_not-started"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.environment.kms_key_arn
  tags                      = var.tags
}
