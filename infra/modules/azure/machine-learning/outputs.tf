output "id" {
  description = "The workspace's id."
  value       = azurerm_machine_learning_workspace.this.id
}

output "name" {
  description = "The workspace's name."
  value       = azurerm_machine_learning_workspace.this.name
}

output "compute" {
  description = "The cluster's name: `compute:` of a job."
  value       = azurerm_machine_learning_compute_cluster.this.name
}

output "jobs_principal_id" {
  description = "The object id of the jobs' identity, for rights that are given elsewhere (data to train on)."
  value       = azurerm_user_assigned_identity.jobs.principal_id
}
