# Jobs on the cluster are this identity: they read the store, and write where the workspace keeps its runs.
resource "azurerm_user_assigned_identity" "jobs" {
  name                = "${var.name}-jobs"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "store" {
  count                = var.reads_store ? 1 : 0
  scope                = var.store_container_id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = azurerm_user_assigned_identity.jobs.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "runs" {
  scope                = azurerm_storage_account.this.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.jobs.principal_id
  principal_type       = "ServicePrincipal"
}

# No machine runs, and none is paid for, while there is no job.
resource "azurerm_machine_learning_compute_cluster" "this" {
  name                          = var.compute.name
  machine_learning_workspace_id = azurerm_machine_learning_workspace.this.id
  location                      = var.location
  vm_size                       = var.compute.vm_size
  vm_priority                   = var.compute.low_priority ? "LowPriority" : "Dedicated"
  subnet_resource_id            = var.compute.subnet_id
  node_public_ip_enabled        = false
  ssh_public_access_enabled     = false
  local_auth_enabled            = false
  tags                          = var.tags

  scale_settings {
    min_node_count                       = 0
    max_node_count                       = var.compute.max_nodes
    scale_down_nodes_after_idle_duration = "PT${var.compute.idle_minutes}M"
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.jobs.id]
  }
}
