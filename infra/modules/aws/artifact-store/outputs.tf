output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.bucket
  # Whoever writes before the policy is there could overwrite.
  depends_on = [aws_s3_bucket_policy.this]
}

output "bucket_arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "store_url" {
  description = "The store's URL: the variable `MLOPS_STORE` of the repository."
  value       = "s3://${aws_s3_bucket.this.bucket}"
  depends_on  = [aws_s3_bucket_policy.this]
}
