provider "azurerm" {
  features {}
}

variables {
  name                = "acmemlstore"
  resource_group_name = "acme-ml"
  location            = "westeurope"
}

run "closed_and_kept" {
  command = apply

  assert {
    condition = !anytrue([
      azurerm_storage_account.this.shared_access_key_enabled, azurerm_storage_account.this.allow_nested_items_to_be_public,
      azurerm_storage_account.this.cross_tenant_replication_enabled, azurerm_storage_account.this.local_user_enabled,
    ])
    error_message = "No key, no anonymous access, no other tenant, no local user."
  }

  assert {
    condition     = azurerm_storage_account.this.https_traffic_only_enabled && azurerm_storage_account.this.min_tls_version == "TLS1_2" && azurerm_storage_container.store.container_access_type == "private"
    error_message = "TLS 1.2 only, and a private container."
  }

  assert {
    condition     = one(azurerm_storage_account.this.blob_properties).versioning_enabled && one(one(azurerm_storage_account.this.blob_properties).delete_retention_policy).days == 30
    error_message = "What is removed can be had back for 30 days."
  }

  assert {
    condition     = alltrue([for rule in azurerm_storage_management_policy.this.rule : alltrue([for each in rule.actions : length(each.base_blob) == 0])])
    error_message = "Nothing that is current expires or moves away."
  }

  assert {
    condition     = length(azurerm_storage_container_immutability_policy.store) == 0 && length(azurerm_monitor_diagnostic_setting.this) == 0
    error_message = "No immutability and no record without being told."
  }

  assert {
    condition     = output.store_url == "az://mlops" && endswith(output.container_id, "/storageAccounts/acmemlstore/blobServices/default/containers/mlops")
    error_message = "The URL is what mlops-ci takes; the scope is the container, and not the account."
  }
}

run "immutable_private_with_states_and_a_record" {
  command = apply
  variables {
    immutable_days = 365
    states         = ["qa", "production"]
    network        = { public = false }
    log_analytics  = { workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.OperationalInsights/workspaces/acme-ml" }
  }

  assert {
    condition     = azurerm_storage_container_immutability_policy.store[0].immutability_period_in_days == 365 && azurerm_storage_container_immutability_policy.store[0].locked == false
    error_message = "What was written cannot be removed for the days that were asked for."
  }

  assert {
    condition     = output.states["qa"].container == "state-qa" && output.states["production"].id != output.states["qa"].id && length([for each in values(output.states) : each if each.id == output.container_id]) == 0
    error_message = "Each state has a container of its own, which is not the store."
  }

  assert {
    condition     = one(azurerm_storage_account.this.network_rules).default_action == "Deny" && !azurerm_storage_account.this.public_network_access_enabled
    error_message = "By a private endpoint only."
  }

  assert {
    condition     = toset([for each in azurerm_monitor_diagnostic_setting.this[0].enabled_log : each.category]) == toset(["StorageRead", "StorageWrite", "StorageDelete"])
    error_message = "Reads, writes and removals are recorded."
  }
}

run "from_a_few_addresses" {
  command = plan
  variables {
    network = { ip_ranges = ["203.0.113.0/24"] }
  }
  assert {
    condition     = one(azurerm_storage_account.this.network_rules).default_action == "Deny"
    error_message = "From these, and from nowhere else."
  }
}

run "refused_values" {
  command = plan
  variables {
    location         = "West Europe"
    name             = "acme-ml-store"
    container        = "Mlops"
    states           = ["qa/main"]
    replication      = "ONCE"
    recoverable_days = 0
    immutable_days   = 0
    network          = { ip_ranges = ["0.0.0.0/0"] }
  }
  expect_failures = [var.location, var.name, var.container, var.states, var.replication, var.recoverable_days, var.immutable_days, var.network]
}

run "a_container_that_looks_like_a_state_is_refused" {
  command = plan
  variables {
    container = "state-qa"
  }
  expect_failures = [var.container]
}
