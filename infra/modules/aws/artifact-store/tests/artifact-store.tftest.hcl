mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    override_during = plan
    defaults        = { arn = "arn:aws:s3:::acme-ml-store", id = "acme-ml-store" }
  }
}

variables {
  name        = "acme-ml-store"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0d3f1c3e-77aa-4a36-9f8c-2f8a2d1c7b11"
}

run "closed_encrypted_and_kept" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Nothing of it is ever public."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "Everything is encrypted with the given key."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "What is removed can be had back."
  }

  assert {
    condition     = !aws_s3_bucket.this.object_lock_enabled && length(aws_s3_bucket_object_lock_configuration.this) == 0 && !aws_s3_bucket.this.force_destroy
    error_message = "No object lock without being told, and no bucket goes with what is in it."
  }

  assert {
    condition     = output.store_url == "s3://acme-ml-store"
    error_message = "The URL is what mlops-ci takes."
  }
}

run "object_lock" {
  command = plan
  variables {
    log_retention_days = 365
    log_retention_mode = "COMPLIANCE"
  }
  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && one(one(aws_s3_bucket_object_lock_configuration.this[0].rule).default_retention).days == 365
    error_message = "What was written cannot be removed for the days that were asked for."
  }
}

run "a_record_of_access" {
  command = plan
  variables {
    access_log_bucket = "acme-access-logs"
  }
  assert {
    condition     = aws_s3_bucket_logging.this[0].target_prefix == "acme-ml-store/"
    error_message = "The record is kept below the bucket's name."
  }
}

run "a_name_with_a_dot_is_refused" {
  command = plan
  variables {
    name = "acme.ml.store"
  }
  expect_failures = [var.name]
}

run "a_keys_alias_is_refused" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/acme-ml"
  }
  expect_failures = [var.kms_key_arn]
}

run "wildcards_of_cleaners_are_refused" {
  command = plan
  variables {
    cleaner_role_arns = ["arn:aws:iam::111122223333:role/*"]
  }
  expect_failures = [var.cleaner_role_arns]
}

run "other_refused_values" {
  command = plan
  variables {
    log_retention_days = 0
    log_retention_mode = "LOOSE"
    recoverable_days   = 0
  }
  expect_failures = [var.log_retention_days, var.log_retention_mode, var.recoverable_days]
}
