locals {
  groups = var.traffic == null ? {} : var.traffic.target_groups
  dimensions = { for id, group in local.groups : id => {
    LoadBalancer = var.traffic.load_balancer
    TargetGroup  = group
  } }
  quiet = length(local.groups) == 0 ? null : var.thresholds.quiet_minutes
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.groups

  alarm_name          = "${var.name}_${substr(each.key, 0, 12)}_errors"
  alarm_description   = "More than ${var.thresholds.error_percent} % of the answers of release ${substr(each.key, 0, 12)} are 5xx."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.error_percent
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic]
  ok_actions          = [local.topic]
  tags                = var.tags

  metric_query {
    id          = "share"
    expression  = "IF(requests >= ${var.thresholds.least_requests}, 100 * FILL(errors, 0) / requests, 0)"
    label       = "5xx, per cent"
    return_data = true
  }

  metric_query {
    id = "requests"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.dimensions[each.key]
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.dimensions[each.key]
      period      = 300
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each = local.groups

  alarm_name          = "${var.name}_${substr(each.key, 0, 12)}_latency"
  alarm_description   = "One of a hundred answers of release ${substr(each.key, 0, 12)} takes longer than ${var.thresholds.latency_seconds} s."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = local.dimensions[each.key]
  extended_statistic  = "p99"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.latency_seconds
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  # The p99 of a handful of requests is their maximum: it says nothing.
  evaluate_low_sample_count_percentiles = "ignore"
  alarm_actions                         = [local.topic]
  ok_actions                            = [local.topic]
  tags                                  = var.tags
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = local.groups

  alarm_name          = "${var.name}_${substr(each.key, 0, 12)}_unhealthy"
  alarm_description   = "A task of release ${substr(each.key, 0, 12)} does not answer its health checks."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = local.dimensions[each.key]
  statistic           = "Maximum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic]
  ok_actions          = [local.topic]
  tags                = var.tags
}

# One for the model: while a release goes out, each of them alone may well be asked nothing.
resource "aws_cloudwatch_metric_alarm" "quiet" {
  count = local.quiet == null ? 0 : 1

  alarm_name          = "${var.name}_quiet"
  alarm_description   = "Nobody has asked this model for ${local.quiet} minutes."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = local.quiet
  treat_missing_data  = "breaching"
  alarm_actions       = [local.topic]
  ok_actions          = [local.topic]
  tags                = var.tags

  metric_query {
    id          = "requests"
    expression  = join(" + ", [for id in keys(local.groups) : "FILL(m${substr(id, 0, 12)}, 0)"])
    label       = "requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.dimensions
    content {
      id = "m${substr(metric_query.key, 0, 12)}"
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "RequestCount"
        dimensions  = metric_query.value
        period      = 60
        stat        = "Sum"
      }
    }
  }
}
