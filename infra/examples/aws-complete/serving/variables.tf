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

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.serving.environment)) && can(regex("^[a-z][a-z0-9-]*$", var.serving.model))
    error_message = "Names of models and environments are small letters, digits and hyphens, beginning with a letter."
  }
}

variable "platform" {
  description = "The platform's name: `name` of ../platform."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.platform))
    error_message = "Use small letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "The region of AWS."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region such as eu-central-1."
  }
}

variable "public_url" {
  description = "What clients call the load balancer, where that is not the address of the environment."
  type        = string
  default     = null
}

variable "cpu" {
  description = "The CPU of a task in units of Fargate; 1024 are one."
  type        = number
  default     = 512
}

variable "memory" {
  description = "The memory of a task in MiB."
  type        = number
  default     = 1024
}

variable "tasks" {
  description = "How many tasks a release has at least."
  type        = number
  default     = 2
}

variable "autoscaling" {
  description = "Up to how many tasks a release gets, and when; null: as many as it starts with."
  type = object({
    max_tasks       = number
    cpu_percent     = optional(number)
    requests_minute = optional(number)
  })
  default = { max_tasks = 10 }
}

variable "thresholds" {
  description = "When there is an alarm, as the module monitoring has it."
  type = object({
    error_percent   = optional(number)
    least_requests  = optional(number)
    latency_seconds = optional(number)
    quiet_minutes   = optional(number)
  })
  default = {}
}

variable "adopt" {
  description = "Whether to look for what an apply that was killed has made and not written down, and to take it over. Not for every day: see README.md."
  type        = bool
  default     = false
}
