module "github" {
  source   = "../../../modules/azure/github-identity"
  for_each = var.models

  name                = "${var.name}-${each.key}"
  resource_group_name = module.group.name
  location            = module.group.location
  repository_id       = each.value.repository_id
  repository_owner_id = each.value.repository_owner_id
  workflow_refs       = var.workflow_refs
  pull_requests       = var.pull_requests
  store_container_id  = module.storage.container_id
  registry_id         = module.registry.id
  tags                = local.tags

  environments = {
    qa = {
      state = { container_id = module.storage.states["qa-${each.key}"].id }
      container_instances = {
        resource_group_id = module.qa[each.key].id
        subnet_id         = azurerm_subnet.groups.id
        dns_zone_id       = azurerm_private_dns_zone.this.id
        pull_identity_id  = module.registry.pull_identity.id
      }
    }
    production = {
      kubernetes = var.cluster.pipelines_apply ? { cluster_id = module.cluster.id, namespace = each.key } : null
    }
  }
}
