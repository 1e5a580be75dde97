locals {
  client_ids = { for identity, each in azurerm_user_assigned_identity.this : identity => each.client_id }
}

output "read_client_id" {
  description = "The identity of what trains for a pull request, where there is one: the repository's variable `MLOPS_AZURE_READ_CLIENT_ID`."
  value       = lookup(local.client_ids, "read", null)
}

output "admit_client_id" {
  description = "The identity of what adds a pull request's candidates to the store, where there is one: the variable `MLOPS_AZURE_CLIENT_ID` of the GitHub environment `admit_environment`."
  value       = lookup(local.client_ids, "admit", null)
}

output "release_client_id" {
  description = "The identity of what runs on the main branch: the repository's variable `MLOPS_AZURE_CLIENT_ID`."
  value       = local.client_ids["release"]
}

output "environment_client_ids" {
  description = "The identities of what promotes and rolls back, by environment: the variable `MLOPS_AZURE_CLIENT_ID` of each GitHub environment."
  value       = { for environment in keys(var.environments) : environment => local.client_ids["environment-${environment}"] }
}

output "principal_ids" {
  description = "The identities' object ids, by name, for rights that are given elsewhere (data to train on)."
  value       = { for identity, each in azurerm_user_assigned_identity.this : identity => each.principal_id }
}

output "subject_claims" {
  description = "What GitHub has to put into the subjects of this repository's tokens, in this order. Until it does, nobody gets in."
  value       = local.subject_claims
}

output "subject_command" {
  description = "The command that tells GitHub so; the repository's administrator runs it once, with the repository's name for OWNER/NAME."
  value       = "gh api --method PUT repos/OWNER/NAME/actions/oidc/customization/sub -F use_default=false ${join(" ", [for each in local.subject_claims : "-f 'include_claim_keys[]=${each}'"])}"
}
