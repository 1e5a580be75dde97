output "bucket" {
  description = "The bucket's name, for the backend's configuration."
  value       = aws_s3_bucket.this.bucket
  depends_on  = [aws_s3_bucket_policy.this]
}

output "bucket_arn" {
  description = "The bucket's ARN, for the roles that work on states."
  value       = aws_s3_bucket.this.arn
}
