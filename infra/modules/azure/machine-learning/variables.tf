variable "name" {
  description = "The workspace's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$", var.name))
    error_message = "3 to 33 letters, digits, '-' and '_'."
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

variable "storage_account_name" {
  description = "The name of the storage account that the workspace keeps its runs in, which no other account in the world may have. It is not the store: workspaces need the account's key, which the store does not have."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "3 to 24 lower-case letters and digits."
  }
}

variable "key_vault_name" {
  description = "The name of the workspace's key vault, which no other vault in the world may have."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z]([A-Za-z0-9]|-[A-Za-z0-9]){2,23}$", var.key_vault_name)) && length(var.key_vault_name) <= 24
    error_message = "3 to 24 letters, digits and single '-', beginning with a letter."
  }
}

variable "log_analytics_workspace_id" {
  description = "The Log Analytics workspace that takes what runs report."
  type        = string
}

variable "registry_id" {
  description = "The registry of the workspace's own environments. Null: the workspace makes one when it needs it."
  type        = string
  default     = null
}

variable "reads_store" {
  description = "Whether jobs may read the store, `store_container_id`."
  type        = bool
  default     = false

  validation {
    condition     = !var.reads_store || var.store_container_id != null
    error_message = "Give store_container_id, too."
  }
}

variable "store_container_id" {
  description = "The id of the container that is the store, as storage gives it."
  type        = string
  default     = null
}

variable "public" {
  description = "Whether the studio and the API can be reached from outside of the workspace's network."
  type        = bool
  default     = false
}

variable "isolation" {
  description = "What jobs may reach: the whole internet (`AllowInternetOutbound`), or what was approved (`AllowOnlyApprovedOutbound`, which costs a firewall)."
  type        = string
  default     = "AllowInternetOutbound"

  validation {
    condition     = contains(["AllowInternetOutbound", "AllowOnlyApprovedOutbound"], var.isolation)
    error_message = "AllowInternetOutbound or AllowOnlyApprovedOutbound: a workspace without a network of its own is refused."
  }
}

variable "compute" {
  description = "The cluster that jobs run on: none of its machines runs while there is no job. `low_priority` is cheap, and may be taken away in the middle."
  type = object({
    name         = optional(string, "cpu")
    vm_size      = optional(string, "Standard_D4s_v5")
    max_nodes    = optional(number, 4)
    idle_minutes = optional(number, 5)
    low_priority = optional(bool, false)
    subnet_id    = optional(string)
  })
  default = {}

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{1,30}[A-Za-z0-9]$", var.compute.name))
    error_message = "A name of 3 to 32 letters, digits and '-', beginning with a letter."
  }

  validation {
    condition     = var.compute.max_nodes >= 1 && var.compute.max_nodes <= 100 && floor(var.compute.max_nodes) == var.compute.max_nodes
    error_message = "1 to 100 machines."
  }

  validation {
    condition     = var.compute.idle_minutes >= 1 && var.compute.idle_minutes <= 120
    error_message = "Machines are given back after 1 to 120 minutes without a job."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
