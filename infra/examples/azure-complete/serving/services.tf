module "scoring" {
  source = "../../../modules/azure/container-instances"

  serving             = var.serving
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.subnet_id
  dns_zone            = var.dns_zone
  pull_identity_id    = var.pull_identity_id
  cpu                 = var.cpu
  memory_gb           = var.memory_gb
}
