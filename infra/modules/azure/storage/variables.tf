variable "name" {
  description = "The storage account's name, which no other account in the world may have: the repository's variable `MLOPS_AZURE_STORAGE_ACCOUNT`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.name))
    error_message = "3 to 24 lower-case letters and digits."
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

variable "container" {
  description = "The container that is the store."
  type        = string
  default     = "mlops"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9]|-[a-z0-9]){2,62}$", var.container)) && length(var.container) <= 63 && !startswith(var.container, "state-")
    error_message = "3 to 63 lower-case letters, digits and single '-'; not beginning with `state-`."
  }
}

variable "states" {
  description = "Names for Terraform states that are kept here, such as `qa` or `qa-flight-delay`: each gets a container of its own, `state-<name>`, so that each environment's identity can be given its own."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.states : can(regex("^[a-z0-9]([a-z0-9]|-[a-z0-9]){0,49}$", each)) && length(each) <= 57])
    error_message = "Up to 57 lower-case letters, digits and single '-'."
  }
}

variable "replication" {
  description = "How many copies there are, and where: `ZRS` in three zones of the region, `GZRS` in another region too, `LRS` in one building."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.replication)
    error_message = "One of LRS, ZRS, GRS, RAGRS, GZRS, RAGZRS."
  }
}

variable "recoverable_days" {
  description = "For how many days what was removed can still be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.recoverable_days >= 7 && var.recoverable_days <= 365
    error_message = "7 to 365 days."
  }
}

variable "immutable_days" {
  description = "For how many days nobody can overwrite or remove what is in the store. Azure keeps this for a whole container, so that it holds for the event log and for all else: `store gc` removes nothing that is younger. Null: no such policy."
  type        = number
  default     = null

  validation {
    condition     = var.immutable_days == null ? true : var.immutable_days >= 1 && var.immutable_days <= 146000
    error_message = "1 to 146000 days, or null."
  }
}

variable "immutability_locked" {
  description = "Whether that can never be shortened or taken back, by no owner either. It cannot be undone: the account cannot be removed before."
  type        = bool
  default     = false
}

variable "network" {
  description = "From where the account can be reached at all. `public = false`: by a private endpoint only. With addresses or subnets: from those only. Otherwise from everywhere, as runners that GitHub hosts need it: then who somebody is decides alone."
  type = object({
    public     = optional(bool, true)
    ip_ranges  = optional(list(string), [])
    subnet_ids = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for each in var.network.ip_ranges : can(cidrhost(strcontains(each, "/") ? each : "${each}/32", 0)) && !can(regex("/(0|31|32)$", each))])
    error_message = "Addresses, or ranges of /1 to /30, such as 203.0.113.0/24; a lone address is written without /32."
  }
}

variable "log_analytics" {
  description = "The Log Analytics workspace, by its id, that is told who read, wrote or removed what. Null: nobody is. (An object, so that whether there is one is known before the workspace is.)"
  type = object({
    workspace_id = string
  })
  default = null
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
