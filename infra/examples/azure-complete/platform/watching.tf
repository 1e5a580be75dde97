module "monitoring" {
  source = "../../../modules/azure/monitoring"

  name                = var.name
  resource_group_name = module.group.name
  location            = module.group.location
  emails              = var.emails
  storage_accounts    = { store = module.storage.account_id }
  kubernetes_clusters = { production = module.cluster.id }
  tags                = local.tags
}

module "machine_learning" {
  source = "../../../modules/azure/machine-learning"
  count  = var.machine_learning ? 1 : 0

  name                       = var.name
  resource_group_name        = module.group.name
  location                   = module.group.location
  storage_account_name       = "${local.plain}runs"
  key_vault_name             = "${var.name}-runs"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  reads_store                = true
  store_container_id         = module.storage.container_id
  tags                       = local.tags
}
