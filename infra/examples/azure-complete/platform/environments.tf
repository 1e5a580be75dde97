# QA: a group of resources for each model, which Terraform starts and stops releases in.
module "qa" {
  source   = "../../../modules/azure/resource-group"
  for_each = var.models

  name     = "${var.name}-qa-${each.key}"
  location = var.location
  locked   = false
  tags     = local.tags
}

# Production: a namespace for each model, whose name is the model's.
module "cluster" {
  source = "../../../modules/azure/kubernetes-service"

  name                = var.name
  resource_group_name = module.group.name
  location            = module.group.location
  subnet_id           = azurerm_subnet.nodes.id
  pull_identity       = module.registry.pull_identity
  admin_group_ids     = var.cluster.admin_group_ids
  host_encryption     = var.cluster.host_encryption
  log_analytics       = { workspace_id = azurerm_log_analytics_workspace.this.id }
  tags                = local.tags

  api = {
    private           = length(var.cluster.authorized_ranges) == 0
    authorized_ranges = var.cluster.authorized_ranges
  }
}
