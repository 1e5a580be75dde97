# Each release has an address of its own, and the environment one that stays, which names that of the release with all
# the traffic. To route is to change this one record, in place.
resource "azurerm_private_dns_a_record" "release" {
  for_each            = var.serving.releases
  name                = "${local.short[each.key]}.${local.host}"
  zone_name           = var.dns_zone.name
  resource_group_name = var.dns_zone.resource_group_name
  ttl                 = 10
  records             = [azurerm_container_group.this[each.key].ip_address]
  tags                = var.tags
}

resource "azurerm_private_dns_cname_record" "environment" {
  name                = local.host
  zone_name           = var.dns_zone.name
  resource_group_name = var.dns_zone.resource_group_name
  ttl                 = 10
  # Before the first release is routed this names nobody, so that the record is there from the beginning to the end:
  # to remove it would be a change outside of the release that is stopped.
  record = local.serving == null ? "nobody.${local.host}.${var.dns_zone.name}" : "${local.short[local.serving]}.${local.host}.${var.dns_zone.name}"
  tags   = var.tags
}
