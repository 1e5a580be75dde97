variable "repositories" {
  description = "The repositories' names, one for each model: `acme/flight-delay`."
  type        = set(string)

  validation {
    condition     = length(var.repositories) > 0 && alltrue([for each in var.repositories : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", each)) && length(each) <= 256])
    error_message = "At least one name of lower-case letters and digits, with '.', '_', '-' and '/' between them."
  }
}

variable "kms_key_arn" {
  description = "The key that images are encrypted with."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "Give the key's ARN."
  }
}

variable "untagged_days" {
  description = "After how many days an image without a tag goes. What mlops-ci pushes has a tag, and stays: a release names it by its digest for ever."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1
    error_message = "At least one day."
  }
}

variable "force_delete" {
  description = "Whether `terraform destroy` may remove repositories that have images. For stacks of a trial."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
