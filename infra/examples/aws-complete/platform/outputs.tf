output "store_url" {
  description = "The repository's variable MLOPS_STORE."
  value       = module.store.store_url
}

output "repositories" {
  description = "`image.repository` of mlops.yaml by model."
  value       = { for model in keys(var.models) : model => module.registry.repository_urls["${var.name}/${model}"] }
}

output "backends" {
  description = "`terraform.backend` of the environments in mlops.yaml, by model and environment."
  value = { for model in keys(var.models) : model => {
    for environment in keys(var.environments) : environment => {
      bucket = module.states.bucket
      key    = "${environment}/${model}.tfstate"
      region = var.region
    }
  } }
}

output "roles" {
  description = "By model: the roles for the repository's and its GitHub environments' variables MLOPS_AWS_READ_ROLE and MLOPS_AWS_ROLE."
  value = { for model, roles in module.roles : model => {
    read         = roles.read_role_arn
    admit        = roles.admit_role_arn
    release      = roles.release_role_arn
    environments = roles.environment_role_arns
  } }
}

output "environments" {
  description = "By environment: what a serving root reads from the parameter of that name, and where domains have to point to."
  value = { for environment, made in module.environment : environment => {
    parameter     = aws_ssm_parameter.environment[environment].name
    address       = made.environment.address
    load_balancer = made.load_balancer
  } }
}
