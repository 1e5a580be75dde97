module "environment" {
  source   = "../../../modules/aws/scoring-environment"
  for_each = var.environments

  name                = var.name
  environment         = each.key
  vpc_id              = module.network.vpc_id
  public_subnet_ids   = each.value.internal ? module.network.private_subnet_ids : module.network.public_subnet_ids
  private_subnet_ids  = module.network.private_subnet_ids
  internal            = each.value.internal
  allowed_cidrs       = each.value.allowed_cidrs
  https               = each.value.https
  egress_cidrs        = [var.cidr]
  egress_prefix_lists = { s3 = module.network.s3_prefix_list_id }
  repository_arns     = values(module.registry.repository_arns)
  kms_key_arn         = module.key.key_arn
  deletion_protection = !var.trial
}

# What the serving root has to know of its environment, in a place that its role may read. None of it is a secret.
resource "aws_ssm_parameter" "environment" {
  # checkov:skip=CKV2_AWS_34: None of it is a secret: names, for those who may deploy.
  for_each = var.environments

  name        = "/mlops-ci/${var.name}/${each.key}"
  description = "What scoring services of ${var.name} need to know of ${each.key}"
  type        = "String"
  tier        = "Intelligent-Tiering"
  value = jsonencode({
    environment = module.environment[each.key].environment
    topic_arn   = module.alarms.topic_arn
    slots       = { for model, settings in var.models : model => settings.slot }
  })
}

# Who is told when something is wrong with any model. The alarms themselves belong to the models.
module "alarms" {
  source = "../../../modules/aws/monitoring"

  name        = "${var.name}_mlops"
  emails      = var.emails
  kms_key_arn = module.key.key_arn
}
