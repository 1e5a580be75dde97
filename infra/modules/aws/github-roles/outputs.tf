output "read_role_arn" {
  description = "The role of what trains for a pull request: the repository's variable `MLOPS_AWS_READ_ROLE`."
  value       = aws_iam_role.this["read"].arn
  depends_on  = [aws_iam_role_policy.this]
}

output "admit_role_arn" {
  description = "The role of what adds a pull request's candidates to the store: the variable `MLOPS_AWS_ROLE` of the GitHub environment `admit_environment`."
  value       = aws_iam_role.this["admit"].arn
  depends_on  = [aws_iam_role_policy.this]
}

output "release_role_arn" {
  description = "The role of what runs on the main branch: the repository's variable `MLOPS_AWS_ROLE`."
  value       = aws_iam_role.this["release"].arn
  depends_on  = [aws_iam_role_policy.this]
}

output "environment_role_arns" {
  description = "The roles of what promotes and rolls back, by environment: the variable `MLOPS_AWS_ROLE` of each GitHub environment."
  value       = { for environment in keys(var.environments) : environment => aws_iam_role.this["environment-${environment}"].arn }
  depends_on  = [aws_iam_role_policy.this]
}
