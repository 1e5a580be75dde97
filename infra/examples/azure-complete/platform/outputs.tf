output "repository_variables" {
  description = "By model, the variables of its GitHub repository."
  value = {
    for model, each in module.github : model => {
      MLOPS_STORE                 = module.storage.store_url
      MLOPS_AZURE_STORAGE_ACCOUNT = module.storage.account_name
      MLOPS_AZURE_READ_CLIENT_ID  = each.read_client_id
      MLOPS_AZURE_CLIENT_ID       = each.release_client_id
      MLOPS_REGISTRY              = module.registry.registry
    }
  }
}

output "environment_variables" {
  description = "By model and GitHub environment, that environment's variable `MLOPS_AZURE_CLIENT_ID`."
  value       = { for model, each in module.github : model => merge({ mlops-ci-admit = each.admit_client_id }, each.environment_client_ids) }
}

output "subject_commands" {
  description = "By model, the command that tells GitHub what to sign."
  value       = { for model, each in module.github : model => each.subject_command }
}

output "backend" {
  description = "By model, `environments.qa.terraform.backend` of its mlops.yaml."
  value = {
    for model in keys(var.models) : model => {
      storage_account_name = module.storage.account_name
      container_name       = module.storage.states["qa-${model}"].container
      key                  = "terraform.tfstate"
    }
  }
}

data "azurerm_client_config" "this" {}

output "variables" {
  description = "By model, `environments.qa.terraform.variables` of its mlops.yaml."
  value = {
    for model in keys(var.models) : model => {
      subscription_id     = data.azurerm_client_config.this.subscription_id
      resource_group_name = module.qa[model].name
      location            = var.location
      subnet_id           = azurerm_subnet.groups.id
      dns_zone            = { name = azurerm_private_dns_zone.this.name, resource_group_name = module.group.name }
      pull_identity_id    = module.registry.pull_identity.id
    }
  }
}

output "cluster" {
  description = "The cluster of production, for `az aks get-credentials`."
  value       = { name = module.cluster.name, resource_group_name = module.group.name }
}
