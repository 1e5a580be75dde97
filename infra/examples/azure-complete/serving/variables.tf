# What mlops-ci gives. Everything else is `environments.<environment>.terraform.variables` of mlops.yaml.
variable "serving" {
  description = "What is to be served, given by mlops-ci at every release, promotion and rollback."
  type = object({
    environment = string
    model       = string
    releases = map(object({
      image     = string
      version   = number
      share     = number
      arguments = list(string)
    }))
    shadow = optional(string)
  })
}

variable "subscription_id" {
  description = "The subscription; null: that of ARM_SUBSCRIPTION_ID."
  type        = string
  default     = null
}

variable "resource_group_name" {
  description = "The model's resource group in this environment."
  type        = string
}

variable "location" {
  description = "The region of Azure."
  type        = string
}

variable "subnet_id" {
  description = "The subnet of the container groups."
  type        = string
}

variable "dns_zone" {
  description = "The private zone of the addresses."
  type = object({
    name                = string
    resource_group_name = string
  })
}

variable "pull_identity_id" {
  description = "The identity that pulls the images."
  type        = string
}

variable "cpu" {
  description = "The cores of a release."
  type        = number
  default     = 1
}

variable "memory_gb" {
  description = "The memory of a release in GB."
  type        = number
  default     = 1.5
}
