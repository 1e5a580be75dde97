# Rights that Azure has no role for. Its own `Storage Blob Data Contributor` removes and overwrites, its `Contributor`
# reads keys and changes networks.
locals {
  blobs        = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
  stores_group = regex("^(/subscriptions/[^/]+/resourceGroups/[^/]+)/", var.store_container_id)[0]
}

# Blobs can be made, and never be replaced or removed: `add` makes them, and only `write` replaces. The store puts
# everything in one request (core/layout.py), which is what `add` is enough for.
resource "azurerm_role_definition" "create" {
  name              = "${var.name}: read and create blobs"
  description       = "For ${var.name}: reads and lists blobs and adds new ones; replaces and removes none."
  scope             = local.stores_group
  assignable_scopes = [local.stores_group]

  permissions {
    actions      = ["Microsoft.Storage/storageAccounts/blobServices/containers/read"]
    data_actions = ["${local.blobs}/read", "${local.blobs}/add/action"]
  }
}

# What `terraform` does with container groups in the resource group of an environment that has nothing else in it.
resource "azurerm_role_definition" "container_groups" {
  for_each          = local.container_groups
  name              = "${var.name}: container groups of ${each.key}"
  description       = "For ${var.name}: starts, stops and looks at container groups. No shell in them."
  scope             = each.value.resource_group_id
  assignable_scopes = [each.value.resource_group_id]

  permissions {
    actions = [
      "Microsoft.ContainerInstance/containerGroups/containers/logs/read",
      "Microsoft.ContainerInstance/containerGroups/delete",
      "Microsoft.ContainerInstance/containerGroups/read",
      "Microsoft.ContainerInstance/containerGroups/write",
      "Microsoft.Resources/subscriptions/resourceGroups/read",
    ]
  }
}

# What they are attached to, each by its own right at its own place.
resource "azurerm_role_definition" "attach" {
  for_each          = local.container_groups
  name              = "${var.name}: what container groups of ${each.key} use"
  description       = "For ${var.name}: joins a subnet, hands over an identity that pulls, writes addresses into a private zone."
  scope             = regex("^(/subscriptions/[^/]+/resourceGroups/[^/]+)/", each.value.subnet_id)[0]
  assignable_scopes = distinct([for id in [each.value.subnet_id, each.value.dns_zone_id, each.value.pull_identity_id] : regex("^(/subscriptions/[^/]+/resourceGroups/[^/]+)/", id)[0]])

  permissions {
    actions = [
      "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
      "Microsoft.ManagedIdentity/userAssignedIdentities/read",
      "Microsoft.Network/privateDnsZones/A/delete",
      "Microsoft.Network/privateDnsZones/A/read",
      "Microsoft.Network/privateDnsZones/A/write",
      "Microsoft.Network/privateDnsZones/CNAME/delete",
      "Microsoft.Network/privateDnsZones/CNAME/read",
      "Microsoft.Network/privateDnsZones/CNAME/write",
      "Microsoft.Network/privateDnsZones/read",
      "Microsoft.Network/virtualNetworks/subnets/join/action",
      "Microsoft.Network/virtualNetworks/subnets/read",
    ]
  }
}
