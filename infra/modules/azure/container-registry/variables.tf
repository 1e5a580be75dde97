variable "name" {
  description = "The registry's name, which no other registry in the world may have: it becomes part of the images' addresses."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{5,50}$", var.name))
    error_message = "5 to 50 lower-case letters and digits. (Azure takes capital letters, and addresses of images do not.)"
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

variable "quarantine" {
  description = "Whether an image can be pulled only after a scanner has released it. Only for those who have one that does: without it no image is ever seen. The scan itself is Microsoft Defender's for containers, of the subscription, which is billed by image."
  type        = bool
  default     = false
}

variable "untagged_days" {
  description = "After how many days a manifest without a tag goes. What mlops-ci pushes has a tag, and stays: a release names it by its digest for ever."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1 && var.untagged_days <= 365
    error_message = "1 to 365 days."
  }
}

variable "zone_redundant" {
  description = "Whether the registry outlives the loss of one of the region's zones. Not every region has several."
  type        = bool
  default     = true
}

variable "network" {
  description = "From where the registry can be reached at all. `public = false`: by a private endpoint only. With addresses: from those only. Otherwise from everywhere, as runners that GitHub hosts need it: then who somebody is decides alone."
  type = object({
    public    = optional(bool, true)
    ip_ranges = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for each in var.network.ip_ranges : can(cidrhost(each, 0)) && !endswith(each, "/0")])
    error_message = "Ranges such as 203.0.113.0/24."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
