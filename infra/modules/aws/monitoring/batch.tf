# A run that ended badly: ECS says so once, and so does the notification.
resource "aws_cloudwatch_event_rule" "failed_run" {
  for_each = var.batch

  name        = substr("${var.name}_${each.key}", 0, 64)
  description = "A batch task of ${var.name} has failed"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [each.value.cluster_arn]
      group      = ["family:${each.value.task_family}"]
      lastStatus = ["STOPPED"]
      "$or" = [
        { containers = { exitCode = [{ anything-but = 0 }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })

  lifecycle {
    precondition {
      condition     = length("${var.name}_${each.key}") <= 64
      error_message = "`name` and the batch's name are more than 63 characters together."
    }
  }
}

resource "aws_cloudwatch_event_target" "failed_run" {
  for_each = var.batch

  rule = aws_cloudwatch_event_rule.failed_run[each.key].name
  arn  = local.topic

  input_transformer {
    input_paths = {
      reason = "$.detail.stoppedReason"
      task   = "$.detail.taskArn"
    }
    input_template = "\"The batch ${each.key} of ${var.name} has failed: <reason> (<task>)\""
  }
}

# A run that could not even be started ends up in the schedule's dead letter queue.
resource "aws_cloudwatch_metric_alarm" "not_started" {
  for_each = var.batch

  alarm_name          = "${var.name}_${each.key}_not-started"
  alarm_description   = "The batch ${each.key} could not be started; the queue ${each.value.dead_letter_queue} says why."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.dead_letter_queue }
  statistic           = "Maximum"
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic]
  ok_actions          = [local.topic]
  tags                = var.tags
}
