variable "name" {
  description = "The group's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.()-]{0,88}[A-Za-z0-9_()-]$", var.name))
    error_message = "2 to 90 letters, digits, '_', '-', '.' and brackets, with no '.' at the end."
  }
}

variable "location" {
  description = "The region, such as `westeurope`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.location))
    error_message = "A region's name as Azure's commands have it: `westeurope`, and not `West Europe`, which would be told apart from it at every plan."
  }
}

variable "locked" {
  description = "Whether nothing in the group can be removed until somebody takes the lock away. Not for groups that `terraform` works on at every release: it has to remove what is stopped."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
