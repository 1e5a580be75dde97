resource "azurerm_container_registry" "this" {
  # checkov:skip=CKV_AZURE_139: By `network`: runners that GitHub hosts come from everywhere, and then who somebody is decides alone.
  # checkov:skip=CKV_AZURE_164: What Azure calls trust is Docker's, which is retired; mlops-ci signs releases, and starts nothing that is not signed.
  # checkov:skip=CKV_AZURE_165: A region more is for the team to decide; images are asked for when a release starts, and not when it serves.
  # checkov:skip=CKV_AZURE_166: By `quarantine`: without a scanner that releases images nothing could ever be pulled.
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  # What is below needs this tier: retention, quarantine, zones, and rules about the network.
  sku = "Premium"

  # Who comes has to say who it is, by Entra ID: there is no administrator with a password, and nobody pulls unnamed.
  admin_enabled          = false
  anonymous_pull_enabled = false

  public_network_access_enabled = var.network.public
  network_rule_bypass_option    = "AzureServices"
  network_rule_set = length(var.network.ip_ranges) == 0 ? null : [{
    default_action = "Deny"
    ip_rule        = [for range in var.network.ip_ranges : { action = "Allow", ip_range = range }]
  }]

  data_endpoint_enabled     = true
  zone_redundancy_enabled   = var.zone_redundant
  quarantine_policy_enabled = var.quarantine
  retention_policy_in_days  = var.untagged_days
}
