locals {
  # Models and configurations cannot be changed: another image is another one, made before the old one goes.
  of_this = "${var.name}-${substr(sha256(jsonencode([var.image, var.instance_type, var.instances, sort(var.subnet_ids), sort(var.security_group_ids)])), 0, 12)}"
}

resource "aws_sagemaker_model" "this" {
  name                     = local.of_this
  execution_role_arn       = aws_iam_role.this.arn
  enable_network_isolation = true
  tags                     = var.tags

  primary_container {
    image = var.image
    mode  = "SingleModel"
  }

  vpc_config {
    subnets            = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  name        = local.of_this
  kms_key_arn = var.kms_key_arn
  tags        = var.tags

  production_variants {
    variant_name           = "release"
    model_name             = aws_sagemaker_model.this.name
    instance_type          = var.instance_type
    initial_instance_count = var.instances
  }

  lifecycle {
    create_before_destroy = true
  }
}

# A change starts the new instances beside the old ones, gives them a tenth of the requests for five minutes, then all.
resource "aws_sagemaker_endpoint" "this" {
  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this.name
  tags                 = var.tags

  deployment_config {
    blue_green_update_policy {
      termination_wait_in_seconds = 300

      traffic_routing_configuration {
        type                     = "CANARY"
        wait_interval_in_seconds = 300

        canary_size {
          type  = "CAPACITY_PERCENT"
          value = 10
        }
      }
    }

    dynamic "auto_rollback_configuration" {
      for_each = length(var.alarm_names) == 0 ? [] : [var.alarm_names]
      content {
        dynamic "alarms" {
          for_each = auto_rollback_configuration.value
          content {
            alarm_name = alarms.value
          }
        }
      }
    }
  }
}
