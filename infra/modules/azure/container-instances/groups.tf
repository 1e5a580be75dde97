# One group for each release: it starts when the release comes in, and is never changed, but removed with the release.
resource "azurerm_container_group" "this" {
  # checkov:skip=CKV_AZURE_235: The variables are settings, none of which is secret; secrets have no way in here.
  for_each            = var.serving.releases
  name                = "${var.serving.environment}-${var.serving.model}-${local.short[each.key]}"
  resource_group_name = var.resource_group_name
  location            = var.location
  os_type             = "Linux"
  restart_policy      = "Always"
  ip_address_type     = "Private"
  subnet_ids          = [var.subnet_id]

  tags = merge(var.tags, {
    "mlops-ci-environment" = var.serving.environment
    "mlops-ci-model"       = var.serving.model
    "mlops-ci-release"     = each.key
    "mlops-ci-version"     = tostring(each.value.version)
  })

  identity {
    type         = "UserAssigned"
    identity_ids = [var.pull_identity_id]
  }

  image_registry_credential {
    server                    = split("/", each.value.image)[0]
    user_assigned_identity_id = var.pull_identity_id
  }

  container {
    name   = "scoring"
    image  = each.value.image
    cpu    = var.cpu
    memory = var.memory_gb
    # Container Instances know no arguments: what is given here replaces the image's own entrypoint, which is repeated.
    commands              = concat(var.entrypoint, each.value.arguments)
    environment_variables = var.environment_variables

    ports {
      port     = 8080
      protocol = "TCP"
    }

    readiness_probe {
      period_seconds    = 5
      failure_threshold = 3
      timeout_seconds   = 3
      http_get {
        path   = "/v2/health/ready"
        port   = 8080
        scheme = "Http"
      }
    }

    liveness_probe {
      initial_delay_seconds = 30
      period_seconds        = 10
      failure_threshold     = 3
      timeout_seconds       = 3
      http_get {
        path   = "/v2/health/live"
        port   = 8080
        scheme = "Http"
      }
    }
  }

  dynamic "diagnostics" {
    for_each = nonsensitive(var.log_analytics != null) ? [true] : []
    content {
      log_analytics {
        workspace_id  = var.log_analytics.workspace_id
        workspace_key = var.log_analytics.workspace_key
        log_type      = "ContainerInstanceLogs"
      }
    }
  }
}
