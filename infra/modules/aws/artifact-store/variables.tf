variable "name" {
  description = "The bucket's name, which no other bucket in the world may have."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "3 to 63 lower-case letters, digits and '-' (a '.' would break TLS)."
  }
}

variable "kms_key_arn" {
  description = "The key that everything in the bucket is encrypted with. Who may use the bucket has to be allowed to use the key."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "Give the key's ARN, not its id or alias: the bucket's policy compares ARNs."
  }
}

variable "log_retention_days" {
  description = "For how many days nobody can remove what was written (object lock). S3 knows a default for a whole bucket only, so that it holds for the event log and for all else; `store gc` then hides what nobody names, and it goes when its time is over. Null: no object lock, which can be had later, but not be taken back."
  type        = number
  default     = null

  validation {
    condition     = var.log_retention_days == null ? true : var.log_retention_days >= 1 && var.log_retention_days <= 36500
    error_message = "1 to 36500 days, or null."
  }
}

variable "log_retention_mode" {
  description = "`GOVERNANCE`: administrators with `s3:BypassGovernanceRetention` may remove things all the same. `COMPLIANCE`: nobody may, not even Amazon's support, until the days are over."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.log_retention_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "recoverable_days" {
  description = "For how many days what `store gc` removed can still be had back, as an older version."
  type        = number
  default     = 30

  validation {
    condition     = var.recoverable_days >= 1
    error_message = "At least one day."
  }
}

variable "cleaner_role_arns" {
  description = "The roles that may remove objects, for `mlops-ci store gc`. Nobody else may, administrators included."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.cleaner_role_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/-]+$", each))])
    error_message = "Give whole ARNs of roles, without wildcards."
  }
}

variable "access_log_bucket" {
  description = "The bucket, of the same region and account, that takes S3's record of who asked for what. Null: none is kept."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may remove the bucket with everything in it. For stacks of a trial."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
