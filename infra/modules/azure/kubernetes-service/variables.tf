variable "name" {
  description = "The cluster's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$", var.name))
    error_message = "Up to 45 lower-case letters, digits and '-'."
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

variable "kubernetes_version" {
  description = "The version to begin with, such as `1.33`; Azure then applies patches by itself. Null: the region's default."
  type        = string
  default     = null

  validation {
    condition     = var.kubernetes_version == null ? true : can(regex("^1\\.\\d{2}(\\.\\d+)?$", var.kubernetes_version))
    error_message = "A version such as 1.33."
  }
}

variable "subnet_id" {
  description = "The subnet of the nodes. Pods have addresses of their own (`pod_cidr`)."
  type        = string

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.subnet_id))
    error_message = "Give the subnet's id."
  }
}

variable "pull_identity" {
  description = "The identity that the nodes pull images with, as container-registry gives it."
  type = object({
    id           = string
    client_id    = string
    principal_id = string
  })
}

variable "api" {
  description = "From where the cluster's API can be reached: `private`, from its network only, or from `authorized_ranges`. With Argo CD or Flux in the cluster (`mode: commit`) no pipeline has to reach it."
  type = object({
    private           = optional(bool, true)
    authorized_ranges = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = var.api.private ? length(var.api.authorized_ranges) == 0 : length(var.api.authorized_ranges) > 0
    error_message = "Either private, or from the ranges that are given: an API that is open to everybody is refused."
  }

  validation {
    condition     = alltrue([for each in var.api.authorized_ranges : can(cidrhost(each, 0)) && try(tonumber(split("/", each)[1]) >= 16, false)])
    error_message = "Ranges of addresses of /16 or less, such as 203.0.113.0/24."
  }
}

variable "admin_group_ids" {
  description = "Groups of Entra ID whose members administer the cluster. Everybody else has what Azure's roles give."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.admin_group_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", each))])
    error_message = "Object ids of groups."
  }
}

variable "nodes" {
  description = "The machines that models run on, between how many of them the cluster chooses, and their disks for the system, which have to fit onto the machines' own."
  type = object({
    vm_size = optional(string, "Standard_D4ds_v5")
    disk_gb = optional(number, 128)
    min     = optional(number, 2)
    max     = optional(number, 6)
  })
  default = {}

  validation {
    condition     = var.nodes.min >= 1 && var.nodes.max >= var.nodes.min && var.nodes.max <= 1000 && var.nodes.disk_gb >= 30
    error_message = "At least one machine, not more at least than at most, and disks of 30 GB or more."
  }
}

variable "system_vm_size" {
  description = "The machines of the cluster's own services; with a local disk that takes the system's."
  type        = string
  default     = "Standard_D2ds_v5"
}

variable "zones" {
  description = "The region's zones that nodes are spread over."
  type        = list(string)
  default     = ["1", "2", "3"]

  validation {
    condition     = length(setsubtract(var.zones, ["1", "2", "3"])) == 0
    error_message = "Some of \"1\", \"2\", \"3\"; none for a region without zones."
  }
}

variable "host_encryption" {
  description = "Whether nodes' disks are encrypted on the host as well. The subscription has to have the feature `EncryptionAtHost` registered once."
  type        = bool
  default     = true
}

variable "outbound_type" {
  description = "How nodes reach the world: by the cluster's load balancer, a NAT gateway of the subnet, or your own firewall."
  type        = string
  default     = "loadBalancer"

  validation {
    condition     = contains(["loadBalancer", "userAssignedNATGateway", "userDefinedRouting"], var.outbound_type)
    error_message = "loadBalancer, userAssignedNATGateway or userDefinedRouting."
  }
}

variable "pod_cidr" {
  description = "The pods' addresses, which overlap with no network that they talk to."
  type        = string
  default     = "10.244.0.0/16"

  validation {
    condition     = can(cidrhost(var.pod_cidr, 0))
    error_message = "A range such as 10.244.0.0/16."
  }
}

variable "service_cidr" {
  description = "The services' addresses, which overlap with no network that they talk to."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.service_cidr, 10))
    error_message = "A range such as 10.0.0.0/16, of 11 addresses at least."
  }
}

variable "log_analytics" {
  description = "The Log Analytics workspace, by its id, that takes logs, metrics and who asked the API for what. Null: none. (An object, so that whether there is one is known before the workspace is.)"
  type = object({
    workspace_id = string
  })
  default = null
}

variable "defender" {
  description = "Whether Microsoft Defender watches what runs. Billed by core; needs `log_analytics`."
  type        = bool
  default     = false

  validation {
    condition     = !var.defender || var.log_analytics != null
    error_message = "Defender reports to a workspace: give log_analytics."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
