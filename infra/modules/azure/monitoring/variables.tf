variable "name" {
  description = "What alerts, workbook and action group are called."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,40}$", var.name))
    error_message = "2 to 41 lower-case letters, digits and '-'."
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

variable "emails" {
  description = "Addresses that are told."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", each))])
    error_message = "Addresses such as ml-oncall@acme.example."
  }
}

variable "webhooks" {
  description = "Addresses that are called, by name; they are secrets where whoever knows them may call them."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for each in values(var.webhooks) : startswith(each, "https://")])
    error_message = "https:// only."
  }

  validation {
    condition     = length(var.webhooks) + length(var.emails) > 0
    error_message = "Somebody has to be told: give emails or webhooks."
  }
}

variable "container_groups" {
  description = "Container groups to watch, by a name for people: `{ qa = module.serving.group_ids[…] }`."
  type        = map(string)
  default     = {}
}

variable "kubernetes_clusters" {
  description = "Clusters to watch, by a name for people."
  type        = map(string)
  default     = {}
}

variable "storage_accounts" {
  description = "Storage accounts to watch, by a name for people."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.container_groups) + length(var.kubernetes_clusters) + length(var.storage_accounts) > 0
    error_message = "Nothing is watched: give container_groups, kubernetes_clusters or storage_accounts."
  }
}

variable "memory_bytes" {
  description = "From how many bytes on a container group needs too much memory: nine tenths of what it has."
  type        = number
  default     = 1450000000

  validation {
    condition     = var.memory_bytes > 0
    error_message = "More than none."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
