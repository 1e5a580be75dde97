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
  target          = aws_iam_role.task
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/acme_production_nightly_batch" }
}

override_resource {
  target          = aws_iam_role.scheduler
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/acme_production_nightly_scheduler" }
}

override_resource {
  target          = aws_sqs_queue.not_started
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:acme_production_nightly_not-started" }
}

override_resource {
  target          = aws_ecs_task_definition.run
  override_during = plan
  values          = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/acme_production_nightly_batch:1" }
}

variables {
  name     = "nightly"
  image    = "registry/late-batch@sha256:${format("%064d", 0)}"
  command  = ["mlops-ci", "score", "late", "--input", "/data/in/*.parquet", "--output", "/data/out/scored.parquet"]
  schedule = "cron(0 3 * * ? *)"
  environment = {
    name               = "acme_production"
    environment        = "production"
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-1", "subnet-2"]
    cluster_arn        = "arn:aws:ecs:eu-central-1:123456789012:cluster/acme_production"
    execution_role_arn = "arn:aws:iam::123456789012:role/acme_production_execution"
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
  }
}

run "every_night" {
  command = plan
  variables {
    files = { file_system_id = "fs-0123456789abcdef0", file_system_arn = "arn:aws:elasticfilesystem:eu-central-1:123456789012:file-system/fs-0123456789abcdef0", access_point_id = "fsap-0123456789abcdef0", access_point_arn = "arn:aws:elasticfilesystem:eu-central-1:123456789012:access-point/fsap-0123456789abcdef0", security_group_id = "sg-1" }
  }

  assert {
    condition     = join("|", jsondecode(aws_ecs_task_definition.run.container_definitions)[0].command) == join("|", var.command) && jsondecode(aws_ecs_task_definition.run.container_definitions)[0].readonlyRootFilesystem
    error_message = "The command is run word by word, on a read-only file system."
  }

  assert {
    condition     = one(one(aws_ecs_task_definition.run.volume).efs_volume_configuration).transit_encryption == "ENABLED"
    error_message = "Files are encrypted on their way."
  }

  assert {
    condition     = !aws_scheduler_schedule.run.target[0].ecs_parameters[0].network_configuration[0].assign_public_ip && aws_scheduler_schedule.run.target[0].dead_letter_config[0].arn == aws_sqs_queue.not_started.arn
    error_message = "No public address; what cannot be started is set aside."
  }
}

run "name_with_a_slash" {
  command = plan
  variables {
    name = "a/b"
  }
  expect_failures = [var.name]
}

run "image_by_tag" {
  command = plan
  variables {
    image = "registry/late:latest"
  }
  expect_failures = [var.image]
}

run "no_command" {
  command = plan
  variables {
    command = []
  }
  expect_failures = [var.command]
}

run "schedule_in_words" {
  command = plan
  variables {
    schedule = "every day"
  }
  expect_failures = [var.schedule]
}

run "schedule_never" {
  command = plan
  variables {
    schedule = "rate(0 days)"
  }
  expect_failures = [var.schedule]
}

run "secret_in_the_clear" {
  command = plan
  variables {
    variables = { DB_PASSWORD = "x" }
  }
  expect_failures = [var.variables]
}

run "name_of_a_variable" {
  command = plan
  variables {
    variables = { "a b" = "x" }
  }
  expect_failures = [var.variables]
}

run "secret_that_is_none" {
  command = plan
  variables {
    secrets = { DB_PASSWORD = "hunter2" }
  }
  expect_failures = [var.secrets]
}

run "root" {
  command = plan
  variables {
    user = "0:0"
  }
  expect_failures = [var.user]
}

run "policy_for_everything" {
  command = plan
  variables {
    policies = { store = "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}" }
  }
  expect_failures = [var.policies]
}

run "policy_in_words" {
  command = plan
  variables {
    policies = { store = "read" }
  }
  expect_failures = [var.policies]
}

run "folder_that_is_the_root" {
  command = plan
  variables {
    files = { file_system_id = "fs-0123", file_system_arn = "x", access_point_id = "fsap-0123", access_point_arn = "x", security_group_id = "sg-1", path = "/" }
  }
  expect_failures = [var.files]
}

run "memory_for_another_cpu" {
  command = plan
  variables {
    memory = 1024
  }
  expect_failures = [var.memory]
}

run "cpu_that_fargate_lacks" {
  command = plan
  variables {
    cpu = 100
  }
  expect_failures = [var.cpu]
}

run "tried_for_ever" {
  command = plan
  variables {
    attempts = 1000
  }
  expect_failures = [var.attempts]
}

run "retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "way_out_that_is_no_range" {
  command = plan
  variables {
    egress_cidrs = ["everywhere"]
  }
  expect_failures = [var.egress_cidrs]
}
