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
  target          = aws_iam_role.this
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/acme-late-sagemaker" }
}

variables {
  name               = "acme-late"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/late@sha256:${format("%064d", 0)}"
  repository_arn     = "arn:aws:ecr:eu-central-1:123456789012:repository/acme/late"
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
}

run "isolated_and_taken_back" {
  command = plan
  variables {
    alarm_names = ["acme-late-errors"]
  }

  assert {
    condition     = aws_sagemaker_model.this.enable_network_isolation && aws_sagemaker_endpoint_configuration.this.kms_key_arn == var.kms_key_arn
    error_message = "The model reaches nobody, and its disks are encrypted."
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint.this.deployment_config).auto_rollback_configuration[0].alarms[*].alarm_name) == "acme-late-errors"
    error_message = "An alarm takes a change back."
  }
}

run "name_with_two_hyphens" {
  command = plan
  variables {
    name = "a--b"
  }
  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan
  variables {
    name = format("a%041d", 0)
  }
  expect_failures = [var.name]
}

run "image_by_tag" {
  command = plan
  variables {
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/late:latest"
  }
  expect_failures = [var.image]
}

run "image_from_elsewhere" {
  command = plan
  variables {
    image = "registry/late@sha256:${format("%064d", 0)}"
  }
  expect_failures = [var.image]
}

run "any_repository" {
  command = plan
  variables {
    repository_arn = "*"
  }
  expect_failures = [var.repository_arn]
}

run "one_zone" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.subnet_ids]
}

run "no_security_group" {
  command = plan
  variables {
    security_group_ids = []
  }
  expect_failures = [var.security_group_ids]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "alias/acme"
  }
  expect_failures = [var.kms_key_arn]
}

run "no_such_instance" {
  command = plan
  variables {
    instance_type = "m7i.large"
  }
  expect_failures = [var.instance_type]
}

run "no_instance" {
  command = plan
  variables {
    instances = 0
  }
  expect_failures = [var.instances]
}
