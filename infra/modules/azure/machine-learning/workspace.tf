data "azurerm_client_config" "this" {}

resource "azurerm_machine_learning_workspace" "this" {
  name                          = var.name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  storage_account_id            = azurerm_storage_account.this.id
  key_vault_id                  = azurerm_key_vault.this.id
  application_insights_id       = azurerm_application_insights.this.id
  container_registry_id         = var.registry_id
  public_network_access_enabled = var.public
  high_business_impact          = true
  v1_legacy_mode_enabled        = false
  tags                          = var.tags

  identity {
    type = "SystemAssigned"
  }

  managed_network {
    isolation_mode = var.isolation
  }
}
