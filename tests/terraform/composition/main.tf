# An environment made of nothing but Terraform itself: its services are processes of this machine, started and ended by
# `plane.py`, behind a router that the test runs. It keeps the serving contract (docs/targets.md) as a cloud's would.

terraform {
  required_version = ">= 1.10"
  backend "local" {}
}

variable "serving" {
  description = "What shall run, and how its traffic is divided."
  type = object({
    environment = string
    model       = string
    releases = map(object({
      image     = string
      version   = number
      share     = number
      arguments = list(string)
    }))
    shadow = optional(string)
  })

  validation {
    condition     = var.serving.shadow == null
    error_message = "This environment cannot mirror requests."
  }
}

variable "plane" {
  description = "The folder in which the services keep their files."
  type        = string
}

variable "python" {
  description = "The interpreter that runs them."
  type        = string
}

variable "package" {
  description = "The folder in which it finds mlops_ci."
  type        = string
}

variable "router" {
  description = "The address of the router."
  type        = string
}

resource "terraform_data" "service" {
  for_each = var.serving.releases

  input            = { plane = var.plane, python = var.python }
  triggers_replace = [each.value.image, each.value.arguments]

  provisioner "local-exec" {
    command = "'${var.python}' '${path.module}/plane.py' start '${var.plane}' ${each.key}"
    environment = {
      IMAGE      = each.value.image
      VERSION    = each.value.version
      ARGUMENTS  = jsonencode(each.value.arguments)
      PYTHONPATH = var.package
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "'${self.input.python}' '${path.module}/plane.py' stop '${self.input.plane}' ${each.key}"
  }
}

# A division is made anew at every change, which is why the environment names it in `may_destroy`.
resource "terraform_data" "division" {
  triggers_replace = {
    for id, release in var.serving.releases : id => release.share if release.share > 0
  }

  provisioner "local-exec" {
    command = "'${var.python}' '${path.module}/plane.py' route '${var.plane}'"
    environment = {
      SHARES = jsonencode(self.triggers_replace)
    }
  }

  depends_on = [terraform_data.service]
}

locals {
  url = "${var.router}/${var.serving.environment}/${var.serving.model}"
}

output "url" {
  value = local.url
}

output "releases" {
  value      = { for id, release in var.serving.releases : id => { url = "${local.url}/releases/${substr(id, 0, 12)}" } }
  depends_on = [terraform_data.service]
}

output "serving" {
  value      = var.serving
  depends_on = [terraform_data.service, terraform_data.division]
}
