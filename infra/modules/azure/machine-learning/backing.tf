# What a workspace wants of its own. None of it is mlops-ci's store.
resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33: The workspace uses no queues.
  # checkov:skip=CKV_AZURE_206: What is here are runs, which can be run again; what has to last is in the store.
  # checkov:skip=CKV2_AZURE_1: Microsoft's keys; what is here are runs, which can be run again.
  # checkov:skip=CKV2_AZURE_40: The workspace's own stores of data use the account's key; version 4 of the provider cannot tell it otherwise.
  # checkov:skip=CKV2_AZURE_33: The workspace's managed network has its own private endpoint.
  name                             = var.storage_account_name
  resource_group_name              = var.resource_group_name
  location                         = var.location
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  shared_access_key_enabled        = true
  local_user_enabled               = false
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  public_network_access_enabled    = false
  https_traffic_only_enabled       = true
  min_tls_version                  = "TLS1_2"
  tags                             = var.tags

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }

  blob_properties {
    delete_retention_policy {
      days = 7
    }

    container_delete_retention_policy {
      days = 7
    }
  }

  sas_policy {
    expiration_period = "07.00:00:00"
  }
}

resource "azurerm_key_vault" "this" {
  # checkov:skip=CKV2_AZURE_32: The workspace's managed network has its own private endpoint.
  name                          = var.key_vault_name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  tenant_id                     = data.azurerm_client_config.this.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  tags                          = var.tags

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
  }
}

resource "azurerm_application_insights" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  application_type    = "web"
  workspace_id        = var.log_analytics_workspace_id
  tags                = var.tags
}
