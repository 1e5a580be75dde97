variable "name" {
  description = "The platform's name, which names of everything begin with. Account and registry get it without hyphens, and no other in the world may have theirs."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,17}[a-z0-9]$", var.name))
    error_message = "4 to 19 lower-case letters, digits and '-', beginning with a letter."
  }
}

variable "location" {
  description = "The region of Azure."
  type        = string
  default     = "westeurope"
}

variable "address_space" {
  description = "The network's addresses, a range of /16: nodes, container groups and endpoints get parts of it."
  type        = string
  default     = "10.60.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.address_space, 8, 16)) && endswith(var.address_space, "/16")
    error_message = "A range of /16, such as 10.60.0.0/16."
  }
}

variable "domain" {
  description = "The private zone that QA's addresses are in."
  type        = string
  default     = "ml.internal"
}

variable "clients" {
  description = "Ranges that may ask QA's services: the runners', the people's. They have to be in networks that are linked to the zone, or peered."
  type        = list(string)
  default     = ["10.60.0.0/16"]

  validation {
    condition     = length(var.clients) > 0 && alltrue([for each in var.clients : can(cidrhost(each, 0)) && !endswith(each, "/0")])
    error_message = "Ranges of addresses, none of them the whole world."
  }
}

variable "models" {
  description = "The models by their names in mlops.yaml, with the numbers of the repository that each is in and of its owner (`gh api repos/OWNER/NAME`)."
  type = map(object({
    repository_id       = string
    repository_owner_id = string
  }))

  validation {
    condition     = length(var.models) > 0 && alltrue([for name in keys(var.models) : can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){1,24}$", name))])
    error_message = "Names of models are 2 to 26 lower-case letters, digits and single '-', beginning with a letter."
  }
}

variable "workflow_refs" {
  description = "Which versions of the reusable workflows may take on the identities, such as refs/tags/v1.2.0."
  type        = list(string)
}

variable "pull_requests" {
  description = "Whether pull requests have identities; the repositories' main branches then need rules of protection. See github-identity."
  type        = bool
  default     = true
}

variable "cluster" {
  description = "The cluster of production: who administers it, from where its API can be reached (null: from its network only), and whether pipelines write into it (`mode: apply`) or Argo CD or Flux fetch what it should be (`mode: commit`)."
  type = object({
    admin_group_ids   = list(string)
    authorized_ranges = optional(list(string), [])
    pipelines_apply   = optional(bool, false)
    host_encryption   = optional(bool, true)
  })
}

variable "immutable_days" {
  description = "For how many days nobody can replace or remove what is in the store; null: no such policy."
  type        = number
  default     = null
}

variable "emails" {
  description = "Who is told of alerts."
  type        = set(string)
}

variable "machine_learning" {
  description = "Whether there is a Machine Learning workspace with a cluster that scales to zero."
  type        = bool
  default     = false
}
