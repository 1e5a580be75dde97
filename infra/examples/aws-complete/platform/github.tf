module "github" {
  source = "../../../modules/aws/github-oidc"

  create = var.create_github_provider
}

module "roles" {
  source   = "../../../modules/aws/github-roles"
  for_each = var.models

  name                = local.role_names[each.key]
  provider_arn        = module.github.provider_arn
  repository          = each.value.repository
  repository_id       = each.value.repository_id
  repository_owner_id = each.value.repository_owner_id
  workflow_refs       = var.workflow_refs
  models              = [each.key]
  first_environment   = var.first_environment
  store_bucket_arn    = module.store.bucket_arn
  kms_key_arn         = module.key.key_arn
  repository_arns     = [module.registry.repository_arns["${var.name}/${each.key}"]]
  environments = {
    for environment, made in module.environment : environment => {
      name             = made.environment.name
      load_balancer    = made.environment.load_balancer
      state_bucket_arn = module.states.bucket_arn
      state_key        = "${environment}/${each.key}.tfstate"
      pass_role_arns   = made.pass_role_arns
    }
  }
}

locals {
  # Roles share one room with all others of the account, and `acme` + `qa-late` has to stay another one than
  # `acme-qa` + `late`: what tells them apart is the hash.
  role_names = {
    for model in keys(var.models) :
    model => "${trim(substr("${var.name}-${model}", 0, 24), "-")}-${substr(sha256("${var.name}/${model}"), 0, 6)}"
  }
}
