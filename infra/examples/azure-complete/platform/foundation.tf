locals {
  # Names that may have no hyphens.
  plain = replace(var.name, "-", "")
  tags  = { "mlops-ci-platform" = var.name }
}

module "group" {
  source = "../../../modules/azure/resource-group"

  name     = var.name
  location = var.location
  tags     = local.tags
}

module "storage" {
  source = "../../../modules/azure/storage"

  name                = "${local.plain}store"
  resource_group_name = module.group.name
  location            = module.group.location
  states              = concat(["platform"], [for model in keys(var.models) : "qa-${model}"])
  immutable_days      = var.immutable_days
  log_analytics       = { workspace_id = azurerm_log_analytics_workspace.this.id }
  tags                = local.tags
}

module "registry" {
  source = "../../../modules/azure/container-registry"

  name                = local.plain
  resource_group_name = module.group.name
  location            = module.group.location
  tags                = local.tags
}

resource "azurerm_log_analytics_workspace" "this" {
  name                         = var.name
  resource_group_name          = module.group.name
  location                     = module.group.location
  sku                          = "PerGB2018"
  retention_in_days            = 90
  local_authentication_enabled = false
  tags                         = local.tags
}
