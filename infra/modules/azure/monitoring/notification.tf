resource "azurerm_monitor_action_group" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  short_name          = substr(var.name, 0, 12)
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.emails
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }

  dynamic "webhook_receiver" {
    for_each = nonsensitive(toset(keys(var.webhooks)))
    content {
      name                    = webhook_receiver.value
      service_uri             = var.webhooks[webhook_receiver.value]
      use_common_alert_schema = true
    }
  }
}
