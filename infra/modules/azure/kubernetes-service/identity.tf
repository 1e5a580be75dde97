# What the cluster itself does in Azure, it does as this one.
resource "azurerm_user_assigned_identity" "cluster" {
  name                = "${var.name}-cluster"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# It puts load balancers and nodes into the subnet…
resource "azurerm_role_assignment" "subnet" {
  scope                = var.subnet_id
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

# … and hands the nodes the identity that they pull images with.
resource "azurerm_role_assignment" "nodes" {
  scope                = var.pull_identity.id
  role_definition_name = "Managed Identity Operator"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}
