provider "azurerm" {
  features {}
}

variables {
  name                = "acme-ml"
  resource_group_name = "acme-ml"
  location            = "westeurope"
  emails              = ["ml-oncall@acme.example"]
  webhooks            = { chat = "https://hooks.acme.example/secret" }
  storage_accounts    = { store = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore" }
  container_groups    = { qa = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml-qa/providers/Microsoft.ContainerInstance/containerGroups/qa-flight-delay-111111111111" }
}

run "each_alert_tells_somebody_and_has_a_chart" {
  command = apply

  assert {
    condition     = toset(keys(output.alert_ids)) == toset(["qa-memory", "qa-silent", "store-availability"])
    error_message = "One alert for each thing that can go wrong with what is there."
  }

  assert {
    condition     = alltrue([for each in azurerm_monitor_metric_alert.this : one(each.action).action_group_id == output.action_group_id])
    error_message = "An alert that tells nobody is none."
  }

  assert {
    condition     = toset([for each in jsondecode(azurerm_application_insights_workbook.this.data_json).items : each.name if each.type == 10]) == toset(keys(output.alert_ids))
    error_message = "What alerts can be looked at."
  }

  assert {
    condition     = [for each in azurerm_monitor_action_group.this.webhook_receiver : each.service_uri] == ["https://hooks.acme.example/secret"] && [for each in azurerm_monitor_action_group.this.email_receiver : each.email_address] == ["ml-oncall@acme.example"]
    error_message = "Both are told."
  }
}

run "nobody_to_tell_is_refused" {
  command = plan
  variables {
    emails   = []
    webhooks = {}
  }
  expect_failures = [var.webhooks]
}

run "nothing_to_watch_is_refused" {
  command = plan
  variables {
    storage_accounts = {}
    container_groups = {}
  }
  expect_failures = [var.storage_accounts]
}

run "other_refused_values" {
  command = plan
  variables {
    location     = "West Europe"
    name         = "Acme ML"
    emails       = ["somebody"]
    memory_bytes = 0
  }
  expect_failures = [var.location, var.name, var.emails, var.memory_bytes]
}
