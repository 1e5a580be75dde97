output "account_name" {
  description = "The account's name: `AZURE_STORAGE_ACCOUNT_NAME`, and the repository's variable `MLOPS_AZURE_STORAGE_ACCOUNT`."
  value       = azurerm_storage_account.this.name
}

output "account_id" {
  description = "The account's id."
  value       = azurerm_storage_account.this.id
}

output "container_id" {
  description = "The id of the container that is the store: the scope of whoever may read or add to it."
  value       = azurerm_storage_container.store.id
}

output "store_url" {
  description = "The store's URL: the variable `MLOPS_STORE` of the repository."
  value       = "az://${azurerm_storage_container.store.name}"
  # Whoever writes before the policy is there could overwrite.
  depends_on = [azurerm_storage_container_immutability_policy.store]
}

output "states" {
  description = "By name, where each Terraform state is: `container` for the backend `azurerm`, and the container's `id`."
  value       = { for name, each in azurerm_storage_container.state : name => { container = each.name, id = each.id } }
}
