resource "aws_cloudwatch_log_group" "scoring" {
  # checkov:skip=CKV_AWS_338: By `log_retention_days`: predictions may be personal data, which is not to be kept longer than it is needed.
  name              = "/mlops-ci/${var.environment.name}/${var.serving.model}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.environment.kms_key_arn
  tags              = local.tags
}
