provider "azurerm" {
  features {}
}

variables {
  name                = "acme-ml"
  resource_group_name = "acme-ml"
  location            = "westeurope"
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Network/virtualNetworks/acme-ml/subnets/nodes"
  pull_identity = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acmeml-pull"
    client_id    = "11111111-1111-1111-1111-111111111111"
    principal_id = "22222222-2222-2222-2222-222222222222"
  }
}

run "private_with_identities_and_no_administrators_certificate" {
  command = apply

  assert {
    condition     = azurerm_kubernetes_cluster.this.private_cluster_enabled && length(azurerm_kubernetes_cluster.this.api_server_access_profile) == 0
    error_message = "The API is private unless told otherwise."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.local_account_disabled && one(azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control).azure_rbac_enabled && !azurerm_kubernetes_cluster.this.run_command_enabled
    error_message = "People are of Entra ID only, and nobody runs commands around the API."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.workload_identity_enabled && azurerm_kubernetes_cluster.this.oidc_issuer_enabled
    error_message = "What runs there gets identities and no secrets."
  }

  assert {
    condition     = one(azurerm_kubernetes_cluster.this.network_profile).network_policy == "cilium" && one(azurerm_kubernetes_cluster.this.network_profile).network_plugin == "azure" && one(azurerm_kubernetes_cluster.this.network_profile).dns_service_ip == "10.0.0.10"
    error_message = "Network policies are enforced."
  }

  assert {
    condition     = azurerm_kubernetes_cluster_node_pool.models.auto_scaling_enabled && azurerm_kubernetes_cluster_node_pool.models.max_count == 6 && one(azurerm_kubernetes_cluster.this.default_node_pool).only_critical_addons_enabled
    error_message = "Models have machines of their own, as many as they need."
  }

  assert {
    condition     = toset([azurerm_role_assignment.subnet.scope, azurerm_role_assignment.nodes.scope]) == toset([var.subnet_id, var.pull_identity.id])
    error_message = "The cluster may change its subnet, and hand over the one identity."
  }

  assert {
    condition     = length(azurerm_kubernetes_cluster.this.microsoft_defender) == 0
    error_message = "Defender is billed, and not there without being asked for."
  }
}

run "watched_and_from_a_few_addresses" {
  command = plan
  variables {
    api           = { private = false, authorized_ranges = ["203.0.113.0/24"] }
    log_analytics = { workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.OperationalInsights/workspaces/acme-ml" }
    defender      = true
  }

  assert {
    condition     = one(one(azurerm_kubernetes_cluster.this.api_server_access_profile).authorized_ip_ranges) == "203.0.113.0/24"
    error_message = "From these, and from nowhere else."
  }

  assert {
    condition     = one(azurerm_kubernetes_cluster.this.microsoft_defender).log_analytics_workspace_id == var.log_analytics.workspace_id && length(azurerm_monitor_diagnostic_setting.this) == 1
    error_message = "Watched, and recorded."
  }
}

run "an_api_open_to_everybody_is_refused" {
  command = plan
  variables {
    api = { private = false }
  }
  expect_failures = [var.api]
}

run "an_api_open_to_the_world_by_a_range_is_refused" {
  command = plan
  variables {
    api = { private = false, authorized_ranges = ["0.0.0.0/0"] }
  }
  expect_failures = [var.api]
}

run "other_refused_values" {
  command = plan
  variables {
    location           = "West Europe"
    name               = "Acme"
    kubernetes_version = "latest"
    subnet_id          = "nodes"
    admin_group_ids    = ["everybody"]
    nodes              = { min = 5, max = 2 }
    zones              = ["4"]
    outbound_type      = "none"
    pod_cidr           = "many"
    service_cidr       = "many"
    defender           = true
  }
  expect_failures = [var.location, var.name, var.kubernetes_version, var.subnet_id, var.admin_group_ids, var.nodes, var.zones, var.outbound_type, var.pod_cidr, var.service_cidr, var.defender]
}
