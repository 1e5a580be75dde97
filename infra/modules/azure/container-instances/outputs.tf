output "url" {
  description = "The environment's address, whatever the release: within the network that the zone is linked to."
  value       = "http://${local.host}.${var.dns_zone.name}:8080/${local.place}"
}

output "releases" {
  description = "Each release's own address."
  value = {
    for id, short in local.short : id => { url = "http://${short}.${local.host}.${var.dns_zone.name}:8080/${local.place}/releases/${short}" }
  }
}

output "serving" {
  description = "What is in force."
  value       = var.serving
  depends_on  = [azurerm_private_dns_a_record.release, azurerm_private_dns_cname_record.environment]
}

output "group_ids" {
  description = "The container groups' ids by release, for monitoring."
  value       = { for id, each in azurerm_container_group.this : id => each.id }
}
