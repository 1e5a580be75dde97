resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33: There are no queues.
  # checkov:skip=CKV_AZURE_59: By `network`: runners that GitHub hosts come from everywhere, and then who somebody is decides alone.
  # checkov:skip=CKV_AZURE_206: By `replication`: in three zones unless told otherwise.
  # checkov:skip=CKV2_AZURE_1: Microsoft's keys, twice (infrastructure encryption); a key of one's own is one more thing whose loss loses all models.
  # checkov:skip=CKV2_AZURE_33: By `network`: an endpoint is made where the network is.
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication

  # Who comes has to say who it is, by Entra ID: there is no key and no anonymous access, and nothing is signed by one.
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  allowed_copy_scope               = "AAD"

  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  infrastructure_encryption_enabled = true

  public_network_access_enabled = var.network.public

  network_rules {
    default_action             = var.network.public && length(var.network.ip_ranges) + length(var.network.subnet_ids) == 0 ? "Allow" : "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = var.network.ip_ranges
    virtual_network_subnet_ids = var.network.subnet_ids
  }

  blob_properties {
    versioning_enabled  = true
    change_feed_enabled = true

    delete_retention_policy {
      days = var.recoverable_days
    }

    container_delete_retention_policy {
      days = var.recoverable_days
    }
  }

  sas_policy {
    expiration_period = "00.01:00:00"
  }
}

# Nothing that is current ever expires: any blob may be named by a release, or by the log.
resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "what-was-replaced-or-removed"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.recoverable_days
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  count                      = var.log_analytics == null ? 0 : 1
  name                       = "who-asked-for-what"
  target_resource_id         = "${azurerm_storage_account.this.id}/blobServices/default"
  log_analytics_workspace_id = var.log_analytics.workspace_id

  dynamic "enabled_log" {
    for_each = ["StorageRead", "StorageWrite", "StorageDelete"]
    content {
      category = enabled_log.value
    }
  }
}
