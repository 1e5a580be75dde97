variable "serving" {
  description = "What serves, as mlops-ci's target `terraform` says it."
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
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.serving.environment)) && can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.serving.model)) && length("${var.serving.environment}${var.serving.model}") <= 49
    error_message = "The environment's and the model's name become part of hosts' names: lower-case letters, digits and '-', together at most 49."
  }

  validation {
    condition     = alltrue([for id in keys(var.serving.releases) : can(regex("^[0-9a-f]{64}$", id))])
    error_message = "A release's id has 64 hexadecimal digits."
  }

  validation {
    condition     = alltrue([for release in values(var.serving.releases) : can(regex("^[a-z0-9][a-z0-9.-]*(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$", release.image))])
    error_message = "An image is named with its registry and by its digest: registry/repository@sha256:…"
  }

  validation {
    condition     = alltrue([for release in values(var.serving.releases) : contains([0, 100], release.share)])
    error_message = "A share is 0 or 100 here. Container Instances have no load balancer, and the name that routes cannot divide requests: each client would get all of them from one release or the other. Roll out in one step (`rollout: {steps: [100]}`), or serve where traffic can be divided: Kubernetes."
  }

  validation {
    condition     = length([for release in values(var.serving.releases) : release if release.share == 100]) <= 1
    error_message = "One release has all the traffic, or none has any."
  }

  validation {
    condition     = var.serving.shadow == null
    error_message = "Nothing mirrors requests here: leave `rollout.shadow` out, or serve on Kubernetes."
  }
}

variable "resource_group_name" {
  description = "The resource group, as resource-group gives it."
  type        = string
}

variable "location" {
  description = "The region, such as `westeurope`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.location))
    error_message = "A region's name as Azure's commands have it: `westeurope`, and not `West Europe`, which would be told apart from it at every plan."
  }
}

variable "subnet_id" {
  description = "The subnet that the groups are in, delegated to `Microsoft.ContainerInstance/containerGroups`. Who may reach it is for its network security group to say."
  type        = string

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "Give the subnet's id."
  }
}

variable "dns_zone" {
  description = "The private zone that the addresses are in, and the resource group that it is in. Whoever asks for them has to be in a network that the zone is linked to."
  type = object({
    name                = string
    resource_group_name = string
  })

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.dns_zone.name))
    error_message = "A domain of two parts or more: ml.acme.internal."
  }
}

variable "pull_identity_id" {
  description = "The identity that pulls the images, as container-registry gives it."
  type        = string

  validation {
    condition     = can(regex("(?i)/providers/Microsoft.ManagedIdentity/userAssignedIdentities/[^/]+$", var.pull_identity_id))
    error_message = "Give the id of a user-assigned identity."
  }
}

variable "cpu" {
  description = "The cores of a release."
  type        = number
  default     = 1

  validation {
    condition     = var.cpu >= 0.1 && var.cpu <= 4
    error_message = "0.1 to 4."
  }
}

variable "memory_gb" {
  description = "The memory of a release in GB, in steps of a tenth."
  type        = number
  default     = 1.5

  validation {
    condition     = var.memory_gb >= 0.5 && var.memory_gb <= 16
    error_message = "0.5 to 16."
  }
}

variable "entrypoint" {
  description = "The entrypoint of mlops-ci's images, which Azure would otherwise forget as soon as there are arguments."
  type        = list(string)
  default     = ["python3", "-P", "-m", "mlops_ci.scoring", "--files", "/model", "--host", "0.0.0.0", "--port", "8080"]

  validation {
    condition     = length(var.entrypoint) > 0
    error_message = "At least a program."
  }
}

variable "environment_variables" {
  description = "Settings that are no secret: they can be read by whoever may look at the group."
  type        = map(string)
  default     = {}
}

variable "log_analytics" {
  description = "The Log Analytics workspace that takes what the service writes: its `workspace_id` and `workspace_key`. The key ends up in the Terraform state, which has to be kept accordingly. Null: Azure keeps the last few megabytes (`az container logs`)."
  type = object({
    workspace_id  = string
    workspace_key = string
  })
  default   = null
  sensitive = true
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
