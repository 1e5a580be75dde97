mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

variables {
  name = "acme-ml"
}

run "a_key_that_turns" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key is renewed each year, and can be had back for a month."
  }

  assert {
    condition     = aws_kms_alias.this.name == "alias/acme-ml"
    error_message = "The alias is what the module was told."
  }

  assert {
    condition     = strcontains(aws_kms_key.this.policy, "arn:aws:iam::111122223333:root") && !strcontains(aws_kms_key.this.policy, "\"AWS\":\"*\"")
    error_message = "The account's own policies decide, and nobody else's."
  }
}

run "amazons_own_aliases_are_refused" {
  command = plan
  variables {
    name = "aws/s3"
  }
  expect_failures = [var.name]
}

run "no_time_to_regret_is_refused" {
  command = plan
  variables {
    deletion_window_days = 1
  }
  expect_failures = [var.deletion_window_days]
}
