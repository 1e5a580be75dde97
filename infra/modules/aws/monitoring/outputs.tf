output "topic_arn" {
  description = "The topic that alarms go to."
  value       = local.topic
}

output "alarm_names" {
  description = "All alarms."
  value = sort(concat(
    [for alarm in values(aws_cloudwatch_metric_alarm.errors) : alarm.alarm_name],
    [for alarm in values(aws_cloudwatch_metric_alarm.latency) : alarm.alarm_name],
    [for alarm in values(aws_cloudwatch_metric_alarm.unhealthy) : alarm.alarm_name],
    aws_cloudwatch_metric_alarm.quiet[*].alarm_name,
    [for alarm in values(aws_cloudwatch_metric_alarm.not_started) : alarm.alarm_name],
  ))
}
