output "id" {
  description = "The cluster's id: the scope of whoever may use it."
  value       = azurerm_kubernetes_cluster.this.id
}

output "name" {
  description = "The cluster's name: `az aks get-credentials --name …`."
  value       = azurerm_kubernetes_cluster.this.name
}

output "oidc_issuer_url" {
  description = "Who signs the tokens of service accounts, for federated identities of what runs here."
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
}

output "node_resource_group" {
  description = "The resource group that Azure keeps the nodes in."
  value       = azurerm_kubernetes_cluster.this.node_resource_group
}
