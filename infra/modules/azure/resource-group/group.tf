resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
  tags     = var.tags
}

# Whoever may do everything else still cannot remove the group by mistake; owners take the lock away first.
resource "azurerm_management_lock" "this" {
  count      = var.locked ? 1 : 0
  name       = "not-by-mistake"
  scope      = azurerm_resource_group.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds the models' store. Apply with locked = false before anything here is removed."
}
