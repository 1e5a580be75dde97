variable "name" {
  description = "What the identities' names begin with: `<name>-read`, `<name>-admit`, `<name>-release`, `<name>-environment-<environment>`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{2,40}$", var.name))
    error_message = "3 to 41 lower-case letters, digits and '-'."
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

variable "repository_id" {
  description = "The repository's number, which a repository that somebody makes later under the same name does not have: `gh api repos/OWNER/NAME --jq .id`."
  type        = string

  validation {
    condition     = can(regex("^[1-9]\\d*$", var.repository_id))
    error_message = "A number, as GitHub's API gives it; no name and no wildcard."
  }
}

variable "repository_owner_id" {
  description = "Its owner's number: `gh api repos/OWNER/NAME --jq .owner.id`."
  type        = string

  validation {
    condition     = can(regex("^[1-9]\\d*$", var.repository_owner_id))
    error_message = "A number, as GitHub's API gives it."
  }
}

variable "workflow_repository" {
  description = "The repository whose reusable workflows are trusted."
  type        = string
  default     = "mlops-ci/mlops-ci"

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.workflow_repository))
    error_message = "owner/name, without wildcards."
  }
}

variable "workflow_refs" {
  description = "The versions of them: what follows the `@` in the callers, as GitHub says it, `refs/tags/v1.2.0` or a commit's 40 digits. Name the next one beside it before the callers change to it. At most 5, since an identity trusts 20 subjects."
  type        = list(string)

  validation {
    condition     = length(var.workflow_refs) >= 1 && length(var.workflow_refs) <= 5 && alltrue([for each in var.workflow_refs : can(regex("^(refs/tags/v\\d[0-9A-Za-z.+-]*|[0-9a-f]{40})$", each))])
    error_message = "One to five tags such as refs/tags/v1.2.0, or commits of 40 digits."
  }
}

variable "main_branch" {
  description = "The branch whose runs release, promote and roll back."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.main_branch))
    error_message = "A branch's name, without wildcards."
  }
}

variable "pull_requests" {
  description = "Whether there are identities for pull requests, `read` and `admit`. The main branch is then known by its rules of protection: it needs some, and no branch that people can make may have any. `false` where a plan has no such rules, or people make protected branches: pull requests then train without the store, as those of forks do, the merge trains again, and the main branch is known by its name."
  type        = bool
  default     = true
}

variable "store_container_id" {
  description = "The id of the container that is the store, as storage gives it."
  type        = string

  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Storage/storageAccounts/[^/]+/blobServices/default/containers/[a-z0-9-]+$", var.store_container_id))
    error_message = "Give the container's id, not the account's: rights for the account would be rights for all of its containers."
  }
}

variable "registry_id" {
  description = "The registry's id, as container-registry gives it."
  type        = string

  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerRegistry/registries/[^/]+$", var.registry_id))
    error_message = "Give the registry's id."
  }
}

variable "environments" {
  description = "By the names that mlops.yaml and GitHub have for them: the container of the Terraform state that `promote` works on, what Container Instances need, and, for Kubernetes with `mode: apply`, the cluster and the one namespace that may be written. With `mode: commit` an environment needs none of these."
  type = map(object({
    state = optional(object({
      container_id = string
    }))
    container_instances = optional(object({
      resource_group_id = string
      subnet_id         = string
      dns_zone_id       = string
      pull_identity_id  = string
    }))
    kubernetes = optional(object({
      cluster_id = string
      namespace  = string
    }))
  }))

  validation {
    condition     = length(var.environments) > 0 && alltrue([for each in keys(var.environments) : can(regex("^[a-z0-9][a-z0-9-]{0,19}$", each))])
    error_message = "Names of up to 20 lower-case letters, digits and '-'; at least one environment."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : each.state == null ? true : each.state.container_id != var.store_container_id && can(regex("/blobServices/default/containers/[a-z0-9-]+$", each.state.container_id))])
    error_message = "A state has a container of its own, which is not the store's: whoever writes a state may remove and replace there."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : each.container_instances == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+$", each.container_instances.resource_group_id))])
    error_message = "Give the id of a resource group that has nothing but the environment's container groups in it."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : each.kubernetes == null ? true : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", each.kubernetes.namespace)) && !contains(["default", "kube-system"], each.kubernetes.namespace)])
    error_message = "One namespace of the environment's own, without wildcards."
  }

  validation {
    condition     = length(distinct([for each in values(var.environments) : each.state.container_id if each.state != null])) == length([for each in values(var.environments) : true if each.state != null])
    error_message = "Each environment has a state of its own."
  }
}

variable "first_environment" {
  description = "The environment that `release` deploys to, without anybody's approval."
  type        = string
  default     = "qa"

  validation {
    condition     = contains(keys(var.environments), var.first_environment)
    error_message = "It has to be one of `environments`."
  }
}

variable "admit_environment" {
  description = "The GitHub environment of the job that adds a pull request's candidates to the store."
  type        = string
  default     = "mlops-ci-admit"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.admit_environment)) && !contains(keys(var.environments), var.admit_environment)
    error_message = "A name of its own, of lower-case letters, digits and '-'."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
