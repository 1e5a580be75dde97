output "repository_urls" {
  description = "The repositories' addresses by their names: `image.repository` of a model's mlops.yaml."
  value       = { for name, each in aws_ecr_repository.this : name => each.repository_url }
}

output "repository_arns" {
  description = "The repositories' ARNs by their names."
  value       = { for name, each in aws_ecr_repository.this : name => each.arn }
}

output "registry" {
  description = "The registry's host: the variable `MLOPS_REGISTRY` of the repository."
  value       = one(distinct([for each in aws_ecr_repository.this : split("/", each.repository_url)[0]]))
}
