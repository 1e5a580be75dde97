mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

override_resource {
  target          = aws_sns_topic.alarms
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-central-1:123456789012:acme_production_late_alarms" }
}

variables {
  name        = "acme_production_late"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
  services    = { cluster_name = "acme_production", service_names = { "1111111111110000" = "late_111111111111" } }
  traffic = {
    region        = "eu-central-1"
    load_balancer = "app/acme-production-1a2b3c/50dc6c495c0c9188"
    target_groups = { "1111111111110000" = "targetgroup/late-1/1", "2222222222220000" = "targetgroup/late-2/2" }
  }
}

run "two_releases" {
  command = plan

  assert {
    condition     = length(output.alarm_names) == 6 && alltrue([for alarm in aws_cloudwatch_metric_alarm.errors : alarm.treat_missing_data == "notBreaching"])
    error_message = "Errors, latency and health of each; nobody asking is no error."
  }

  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == var.kms_key_arn
    error_message = "The topic is encrypted."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.model[0].dashboard_body).widgets) == 7
    error_message = "Five graphs of requests, two of tasks."
  }
}

run "nobody_asks" {
  command = plan
  variables {
    thresholds = { quiet_minutes = 30 }
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.quiet[0].metric_query : query.expression if query.id == "requests"][0] == "FILL(m111111111111, 0) + FILL(m222222222222, 0)"
    error_message = "Requests of all releases together."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.quiet[0].treat_missing_data == "breaching"
    error_message = "No data is the very thing."
  }
}

run "nothing_served_and_a_batch" {
  command = plan
  variables {
    traffic  = null
    services = null
    topic    = { arn = "arn:aws:sns:eu-central-1:123456789012:team" }
    batch    = { nightly = { cluster_arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/acme_production", task_family = "acme_production_nightly_batch", dead_letter_queue = "acme_production_nightly_not-started" } }
  }

  assert {
    condition     = output.alarm_names == tolist(["acme_production_late_nightly_not-started"]) && length(aws_cloudwatch_dashboard.model) == 0 && output.topic_arn == "arn:aws:sns:eu-central-1:123456789012:team"
    error_message = "Only the batch is watched, by the topic that is there."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed_run["nightly"].event_pattern).detail.group == ["family:acme_production_nightly_batch"]
    error_message = "Runs of this task only."
  }
}

run "name_with_a_space" {
  command = plan
  variables {
    name = "late alarms"
  }
  expect_failures = [var.name]
}

run "more_than_every_answer" {
  command = plan
  variables {
    thresholds = { error_percent = 101 }
  }
  expect_failures = [var.thresholds]
}

run "no_time" {
  command = plan
  variables {
    thresholds = { latency_seconds = 0 }
  }
  expect_failures = [var.thresholds]
}

run "half_a_minute" {
  command = plan
  variables {
    thresholds = { quiet_minutes = 0.5 }
  }
  expect_failures = [var.thresholds]
}

run "two_days" {
  command = plan
  variables {
    thresholds = { quiet_minutes = 2880 }
  }
  expect_failures = [var.thresholds]
}

run "no_address" {
  command = plan
  variables {
    emails = ["somebody"]
  }
  expect_failures = [var.emails]
}

run "queue_for_a_topic" {
  command = plan
  variables {
    topic = { arn = "arn:aws:sqs:eu-central-1:123456789012:team" }
  }
  expect_failures = [var.topic]
}

run "topic_and_addresses" {
  command = plan
  variables {
    topic  = { arn = "arn:aws:sns:eu-central-1:123456789012:team" }
    emails = ["a@example.com"]
  }
  expect_failures = [var.topic]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "alias/acme"
  }
  expect_failures = [var.kms_key_arn]
}

run "ten_releases" {
  command = plan
  variables {
    traffic = { region = "eu-central-1", load_balancer = "app/x/1", target_groups = { for n in range(10) : tostring(n) => "targetgroup/x/1" } }
  }
  expect_failures = [var.traffic]
}

run "batch_with_a_space" {
  command = plan
  variables {
    batch = { "every night" = { cluster_arn = "x", task_family = "x", dead_letter_queue = "x" } }
  }
  expect_failures = [var.batch]
}
