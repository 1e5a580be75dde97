output "key_arn" {
  description = "The key's ARN, which the other modules take as `kms_key_arn`."
  value       = aws_kms_key.this.arn
}

output "alias" {
  description = "The key's alias, with `alias/`."
  value       = aws_kms_alias.this.name
}
