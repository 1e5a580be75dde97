output "action_group_id" {
  description = "Who is told, for alerts of your own."
  value       = azurerm_monitor_action_group.this.id
}

output "alert_ids" {
  description = "The alerts' ids by what they watch."
  value       = { for name, each in azurerm_monitor_metric_alert.this : name => each.id }
}

output "workbook_id" {
  description = "The workbook's id."
  value       = azurerm_application_insights_workbook.this.id
}
