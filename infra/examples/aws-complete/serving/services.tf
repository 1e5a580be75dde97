data "aws_ssm_parameter" "environment" {
  name = "/mlops-ci/${var.platform}/${var.serving.environment}"

  lifecycle {
    postcondition {
      condition     = contains(keys(jsondecode(self.insecure_value).slots), var.serving.model)
      error_message = "The platform does not know this model: add it to `models` of ../platform, and apply that."
    }
  }
}

locals {
  known       = jsondecode(data.aws_ssm_parameter.environment.insecure_value)
  environment = local.known.environment
}

module "scoring" {
  source = "../../../modules/aws/scoring-service"

  environment = local.environment
  serving     = var.serving
  slot        = local.known.slots[var.serving.model]
  public_url  = var.public_url
  cpu         = var.cpu
  memory      = var.memory
  tasks       = var.tasks
  autoscaling = var.autoscaling
}

module "monitoring" {
  source = "../../../modules/aws/monitoring"

  name        = "${local.environment.name}_${var.serving.model}"
  traffic     = module.scoring.traffic
  services    = { cluster_name = module.scoring.cluster_name, service_names = module.scoring.service_names }
  thresholds  = var.thresholds
  topic       = { arn = local.known.topic_arn }
  kms_key_arn = local.environment.kms_key_arn
}
