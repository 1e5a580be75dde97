resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV2_AWS_62: mlops-ci is told by the forge, and asks the store.
  # checkov:skip=CKV_AWS_144: A copy elsewhere is for the team to decide; nothing in the bucket is ever written over or removed.
  bucket              = var.name
  object_lock_enabled = var.log_retention_days != null
  force_destroy       = var.force_destroy
  tags                = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced" # no lists of access at all
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true # one call of KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count  = var.log_retention_days == null ? 0 : 1
  bucket = aws_s3_bucket_versioning.this.bucket

  rule {
    default_retention {
      mode = var.log_retention_mode
      days = var.log_retention_days
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  count         = var.access_log_bucket == null ? 0 : 1
  bucket        = aws_s3_bucket.this.id
  target_bucket = var.access_log_bucket
  target_prefix = "${var.name}/"
}

# Nothing that is current ever expires: any blob may be named by a release, or by the log.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket_versioning.this.bucket

  rule {
    id     = "what-store-gc-removed"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.recoverable_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "uploads-that-nobody-finished"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
