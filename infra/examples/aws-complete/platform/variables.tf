variable "name" {
  description = "The platform's name, which names of everything begin with. Two platforms in one account need two names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "Use 2 to 20 small letters, digits and hyphens, beginning with a letter and not ending with a hyphen."
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

variable "cidr" {
  description = "The network's addresses."
  type        = string
  default     = "10.40.0.0/16"
}

variable "environments" {
  description = "The environments as mlops.yaml names them, from the first to the last: who may reach each, and the certificate and domain of each (null: plain HTTP, for private addresses)."
  type = map(object({
    allowed_cidrs = list(string)
    internal      = optional(bool, true)
    https = optional(object({
      certificate_arn = string
      domain          = string
    }))
  }))

  validation {
    condition     = length(var.environments) > 0
    error_message = "Give at least one environment."
  }
}

variable "first_environment" {
  description = "The environment that `release` deploys to, without an approval."
  type        = string
  default     = "qa"

  validation {
    condition     = contains(keys(var.environments), var.first_environment)
    error_message = "The first environment has to be one of `environments`."
  }
}

variable "models" {
  description = "The models by their names in mlops.yaml: the repository that each is in, the numbers of it and its owner (`gh api repos/OWNER/NAME`), and its slot in the load balancers' rules, a number from 0 to 49 that no other model has."
  type = map(object({
    repository          = string
    repository_id       = string
    repository_owner_id = string
    slot                = number
  }))

  validation {
    condition     = length(var.models) > 0 && alltrue([for name in keys(var.models) : can(regex("^[a-z][a-z0-9-]{0,24}[a-z0-9]$", name)) && !can(regex("--", name))])
    error_message = "Names of models are 2 to 26 small letters, digits and single hyphens, beginning with a letter and not ending with a hyphen."
  }

  validation {
    condition     = length(distinct([for model in values(var.models) : model.slot])) == length(var.models) && alltrue([for model in values(var.models) : model.slot >= 0 && model.slot < 50 && floor(model.slot) == model.slot])
    error_message = "Each model has a slot of its own, a whole number from 0 to 49. More than 33 models need a second platform, or a higher quota of rules than 100."
  }
}

variable "workflow_refs" {
  description = "Which versions of the reusable workflows may take on the roles, such as refs/tags/v1.2.0."
  type        = list(string)
}

variable "create_github_provider" {
  description = "Whether GitHub's identity provider is made here; an account has one only."
  type        = bool
  default     = true
}

variable "emails" {
  description = "Who is told of alarms. Each address has to confirm it."
  type        = list(string)
  default     = []
}

variable "trial" {
  description = "Whether everything may be destroyed with what is in it: models, images, states, load balancers. Never for what is in earnest."
  type        = bool
  default     = false
}

variable "adopt" {
  description = "Whether to look for load balancers that an apply that was killed has made and not written down, and to take them over."
  type        = bool
  default     = false
}
