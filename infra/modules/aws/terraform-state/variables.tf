variable "name" {
  description = "The bucket's name, which no other bucket in the world may have."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "3 to 63 small letters, digits and hyphens, beginning and ending with a letter or digit."
  }
}

variable "kms_key_arn" {
  description = "The key that states are encrypted with."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "Give the ARN of a key (not of an alias)."
  }
}

variable "recoverable_days" {
  description = "How long older versions of a state can be had back."
  type        = number
  default     = 90

  validation {
    condition     = var.recoverable_days >= 7
    error_message = "Seven days at least: a state that was spoilt on a Friday is missed on Monday."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may remove the bucket with the states in it. For stacks of a trial."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
