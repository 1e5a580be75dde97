provider "azurerm" {
  features {}
}

variables {
  name     = "acme-ml"
  location = "westeurope"
}

run "locked_unless_told_otherwise" {
  command = apply

  assert {
    condition     = azurerm_management_lock.this[0].lock_level == "CanNotDelete" && azurerm_management_lock.this[0].scope == output.id
    error_message = "Nothing in the group is removed by mistake."
  }
}

run "a_group_that_is_worked_on" {
  command = plan
  variables {
    locked = false
  }
  assert {
    condition     = length(azurerm_management_lock.this) == 0
    error_message = "Terraform has to be able to remove what is stopped."
  }
}

run "refused_values" {
  command = plan
  variables {
    name     = "acme-ml."
    location = "West Europe"
  }
  expect_failures = [var.name, var.location]
}
