output "id" {
  description = "The registry's id: the scope of whoever may push or pull."
  value       = azurerm_container_registry.this.id
}

output "registry" {
  description = "The registry's host: the variable `MLOPS_REGISTRY` of the repository, and what `image.repository` of a model begins with."
  value       = azurerm_container_registry.this.login_server
}

output "pull_identity" {
  description = "The identity that may pull, and nothing else: its `id` for container groups, all three for a cluster's nodes."
  value = {
    id           = azurerm_user_assigned_identity.pull.id
    client_id    = azurerm_user_assigned_identity.pull.client_id
    principal_id = azurerm_user_assigned_identity.pull.principal_id
  }
  # Whoever pulls before the role is there is refused.
  depends_on = [azurerm_role_assignment.pull]
}
