output "name" {
  description = "The group's name, for what is made in it."
  value       = azurerm_resource_group.this.name
}

output "id" {
  description = "The group's id: the scope of whoever may deploy into it."
  value       = azurerm_resource_group.this.id
}

output "location" {
  description = "The group's region."
  value       = azurerm_resource_group.this.location
}
