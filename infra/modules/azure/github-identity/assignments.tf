# Which identity may do what, and where. None may give rights, read keys, or remove from the store.
locals {
  container_groups = { for environment, each in var.environments : environment => each.container_instances if each.container_instances != null }

  # `release` deploys to the first environment, and has what its own identity has there.
  deployers = merge(
    { for environment in keys(var.environments) : "environment-${environment}" => environment },
    { release = var.first_environment },
  )

  # By identity; those without a role of Azure's have the one that reads and creates.
  store = {
    for identity in keys(local.trusted) : identity => {
      role      = identity == "read" ? "Storage Blob Data Reader" : null
      condition = identity == "admit" ? local.candidates_only : null
    }
  }

  # What `admit` adds, by core/layout.py: no version, no release and no event, so that no pull request's job can forge one.
  candidates_only = join("", [
    "((!(ActionMatches{'${local.blobs}/add/action'})) OR (",
    join(" OR ", [for each in ["blobs", "candidates", "looks", "decided"] : "@Resource[${local.blobs}:path] StringLike '${each}/*'"]),
    "))",
  ])

  images = merge(
    { release = "AcrPush" },
    { for environment in keys(var.environments) : "environment-${environment}" => "AcrPull" },
  )

  states = { for identity, environment in local.deployers : identity => var.environments[environment].state.container_id if var.environments[environment].state != null }

  attached = merge([
    for identity, environment in local.deployers : {
      for what in ["subnet_id", "dns_zone_id", "pull_identity_id"] : "${identity}/${what}" => {
        identity = identity, environment = environment, scope = local.container_groups[environment][what]
      }
    } if contains(keys(local.container_groups), environment)
  ]...)

  clusters = { for identity, environment in local.deployers : identity => var.environments[environment].kubernetes if var.environments[environment].kubernetes != null }
}

resource "azurerm_role_assignment" "store" {
  for_each             = local.store
  scope                = var.store_container_id
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = each.value.role
  role_definition_id   = each.value.role == null ? azurerm_role_definition.create.role_definition_resource_id : null
  condition            = each.value.condition
  condition_version    = each.value.condition == null ? null : "2.0"
}

resource "azurerm_role_assignment" "images" {
  for_each             = local.images
  scope                = var.registry_id
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = each.value
}

# Terraform writes its state anew, and takes a lease on it for as long as it works.
resource "azurerm_role_assignment" "state" {
  for_each             = local.states
  scope                = each.value
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Storage Blob Data Contributor"
}

resource "azurerm_role_assignment" "container_groups" {
  for_each           = { for identity, environment in local.deployers : identity => environment if contains(keys(local.container_groups), environment) }
  scope              = local.container_groups[each.value].resource_group_id
  principal_id       = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type     = "ServicePrincipal"
  role_definition_id = azurerm_role_definition.container_groups[each.value].role_definition_resource_id
}

resource "azurerm_role_assignment" "attach" {
  for_each           = local.attached
  scope              = each.value.scope
  principal_id       = azurerm_user_assigned_identity.this[each.value.identity].principal_id
  principal_type     = "ServicePrincipal"
  role_definition_id = azurerm_role_definition.attach[each.value.environment].role_definition_resource_id
}

# Only for `mode: apply`. With Argo CD or Flux the cluster fetches what it should be, and no pipeline has rights in it.
resource "azurerm_role_assignment" "cluster" {
  for_each             = local.clusters
  scope                = each.value.cluster_id
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Azure Kubernetes Service Cluster User Role"
}

resource "azurerm_role_assignment" "namespace" {
  for_each             = local.clusters
  scope                = "${each.value.cluster_id}/namespaces/${each.value.namespace}"
  principal_id         = azurerm_user_assigned_identity.this[each.key].principal_id
  principal_type       = "ServicePrincipal"
  role_definition_name = "Azure Kubernetes Service RBAC Writer"
}
