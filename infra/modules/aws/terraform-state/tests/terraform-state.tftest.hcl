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

variables {
  name        = "acme-mlops-states"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
}

run "a_bucket_for_states" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.this.force_destroy
    error_message = "Older states can be had back, and the bucket is not removed with states in it."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "Nothing is public."
  }
}

run "name_in_capitals" {
  command = plan
  variables {
    name = "Acme"
  }
  expect_failures = [var.name]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "alias/acme"
  }
  expect_failures = [var.kms_key_arn]
}

run "one_day" {
  command = plan
  variables {
    recoverable_days = 1
  }
  expect_failures = [var.recoverable_days]
}
