resource "azurerm_storage_container" "store" {
  # checkov:skip=CKV2_AZURE_21: Recorded for the whole account, by a diagnostic setting in account.tf, where a workspace is given.
  name                  = var.container
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

# Nothing is overwritten or removed before its days are over, whoever asks. New blobs can always be added.
resource "azurerm_storage_container_immutability_policy" "store" {
  count                                 = var.immutable_days == null ? 0 : 1
  storage_container_resource_manager_id = azurerm_storage_container.store.id
  immutability_period_in_days           = var.immutable_days
  locked                                = var.immutability_locked
  protected_append_writes_enabled       = false
}

# Terraform writes a state anew at every change, which the store's own container may refuse.
resource "azurerm_storage_container" "state" {
  # checkov:skip=CKV2_AZURE_21: Recorded for the whole account, by a diagnostic setting in account.tf, where a workspace is given.
  for_each              = var.states
  name                  = "state-${each.value}"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}
