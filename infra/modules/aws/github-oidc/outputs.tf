output "provider_arn" {
  description = "The provider's ARN, which github-roles takes."
  value = (var.create
    ? aws_iam_openid_connect_provider.this[0].arn
    : "arn:${data.aws_partition.this[0].partition}:iam::${data.aws_caller_identity.this[0].account_id}:oidc-provider/${local.host}"
  )
}
