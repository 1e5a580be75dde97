variable "name" {
  description = "The key's alias, without `alias/`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9/_-]{1,200}$", var.name)) && !startswith(var.name, "aws/")
    error_message = "An alias has letters, digits, '/', '_' and '-', and 'aws/' is Amazon's."
  }
}

variable "deletion_window_days" {
  description = "How long a key that is destroyed can still be had back. Without it nothing that it encrypted can be read."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "KMS takes 7 to 30 days."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
