provider "azurerm" {
  features {}
}

variables {
  name                = "acmeml"
  resource_group_name = "acme-ml"
  location            = "westeurope"
}

run "no_passwords_and_an_identity_that_pulls" {
  command = apply

  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled
    error_message = "Nobody gets in without saying who it is."
  }

  assert {
    condition     = azurerm_role_assignment.pull.role_definition_name == "AcrPull" && azurerm_role_assignment.pull.principal_id == output.pull_identity.principal_id && azurerm_role_assignment.pull.scope == output.id
    error_message = "What runs images may pull from this registry, and nothing else."
  }

  assert {
    condition     = !azurerm_container_registry.this.quarantine_policy_enabled && azurerm_container_registry.this.sku == "Premium"
    error_message = "Images can be pulled where nobody releases them from quarantine."
  }
}

run "from_a_few_addresses" {
  command = plan
  variables {
    network = { ip_ranges = ["203.0.113.0/24"] }
  }
  assert {
    condition     = one(azurerm_container_registry.this.network_rule_set).default_action == "Deny"
    error_message = "From these, and from nowhere else."
  }
}

run "refused_values" {
  command = plan
  variables {
    location      = "West Europe"
    name          = "acme-ml"
    untagged_days = 0
    network       = { ip_ranges = ["0.0.0.0/0"] }
  }
  expect_failures = [var.location, var.name, var.untagged_days, var.network]
}
