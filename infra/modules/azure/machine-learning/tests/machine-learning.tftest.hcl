provider "azurerm" {
  features {}
}

variables {
  name                       = "acme-ml"
  resource_group_name        = "acme-ml"
  location                   = "westeurope"
  storage_account_name       = "acmemlruns"
  key_vault_name             = "acme-ml-runs"
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.OperationalInsights/workspaces/acme-ml"
}

run "closed_and_nothing_runs_without_a_job" {
  command = apply

  assert {
    condition     = one(azurerm_machine_learning_compute_cluster.this.scale_settings).min_node_count == 0 && one(azurerm_machine_learning_compute_cluster.this.scale_settings).scale_down_nodes_after_idle_duration == "PT5M"
    error_message = "Machines go when there is no job."
  }

  assert {
    condition     = !azurerm_machine_learning_compute_cluster.this.ssh_public_access_enabled && !azurerm_machine_learning_compute_cluster.this.local_auth_enabled && !azurerm_machine_learning_compute_cluster.this.node_public_ip_enabled
    error_message = "Nobody logs in, and no machine has a public address."
  }

  assert {
    condition     = !azurerm_machine_learning_workspace.this.public_network_access_enabled && !azurerm_storage_account.this.public_network_access_enabled && !azurerm_key_vault.this.public_network_access_enabled
    error_message = "Nothing is reached from outside unless told so."
  }

  assert {
    condition     = length(azurerm_role_assignment.store) == 0
    error_message = "Jobs read the store where they are told they may."
  }
}

run "jobs_that_read_the_store" {
  command = plan
  variables {
    reads_store        = true
    store_container_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore/blobServices/default/containers/mlops"
  }
  assert {
    condition     = azurerm_role_assignment.store[0].role_definition_name == "Storage Blob Data Reader" && azurerm_role_assignment.store[0].scope == var.store_container_id
    error_message = "They read, and read this."
  }
}

run "refused_values" {
  command = plan
  variables {
    location             = "West Europe"
    name                 = "ml"
    storage_account_name = "acme-ml-runs"
    key_vault_name       = "1-acme"
    isolation            = "Disabled"
    reads_store          = true
    compute              = { max_nodes = 0 }
  }
  expect_failures = [var.location, var.name, var.storage_account_name, var.key_vault_name, var.isolation, var.reads_store, var.compute]
}
