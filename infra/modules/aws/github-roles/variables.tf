variable "name" {
  description = "What the roles' names begin with: `<name>-read`, `<name>-admit`, `<name>-release`, `<name>-environment-<environment>`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,30}$", var.name))
    error_message = "Up to 31 lower-case letters, digits and '-'."
  }
}

variable "provider_arn" {
  description = "The ARN of GitHub's identity provider, as github-oidc gives it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::\\d{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.provider_arn))
    error_message = "Give the ARN of the provider for token.actions.githubusercontent.com."
  }
}

variable "repository" {
  description = "The team's repository, `owner/name`, written as GitHub shows it: capital letters count."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "owner/name, without wildcards."
  }
}

variable "repository_id" {
  description = "The repository's number, which a repository that somebody makes later under the same name does not have: `gh api repos/OWNER/NAME --jq .id`."
  type        = string

  validation {
    condition     = can(regex("^[1-9]\\d*$", var.repository_id))
    error_message = "A number, as GitHub's API gives it."
  }
}

variable "repository_owner_id" {
  description = "Its owner's number: `gh api repos/OWNER/NAME --jq .owner.id`. GitHub writes both into the subject for repositories made since July 2026."
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
  description = "The versions of them: what follows the `@` in the callers, as GitHub says it, `refs/tags/v1.2.0` or a commit's 40 digits. Name the next one beside it before the callers change to it. No wildcards: any commit of any fork can be written after the `@`."
  type        = list(string)

  validation {
    condition     = length(var.workflow_refs) > 0 && alltrue([for each in var.workflow_refs : can(regex("^(refs/tags/v\\d[0-9A-Za-z.+-]*|[0-9a-f]{40})$", each))])
    error_message = "Tags such as refs/tags/v1.2.0, or commits of 40 digits; at least one."
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

variable "models" {
  description = "The repository's models, as its mlops.yaml files name them: what is theirs in the environments may be changed, and nothing else there. Many models name their common beginning, `pricing-*`, since the policies of a role are bounded in length."
  type        = list(string)

  validation {
    condition     = length(var.models) > 0 && alltrue([for each in var.models : can(regex("^[a-z0-9][a-z0-9-]*[*]?$", each))])
    error_message = "At least one name of lower-case letters, digits and '-', which may end in '*'."
  }
}

variable "store_bucket_arn" {
  description = "The store's bucket, as artifact-store gives it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.store_bucket_arn))
    error_message = "Give the bucket's ARN, without a path or wildcards."
  }
}

variable "kms_key_arn" {
  description = "The key of the store and of the states."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "Give the key's ARN."
  }
}

variable "repository_arns" {
  description = "The repositories of the models' images, as image-registry gives them."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0 && alltrue([for each in var.repository_arns : can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:\\d{12}:repository/[a-z0-9._/-]+$", each))])
    error_message = "ARNs of repositories of ECR, without wildcards."
  }
}

variable "data_bucket_arns" {
  description = "Buckets that the models are trained on. What trains may read them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.data_bucket_arns : can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", each))])
    error_message = "ARNs of buckets, without paths or wildcards."
  }
}

variable "environments" {
  description = "By the names that mlops.yaml and GitHub have for them: what the environment is called in AWS (`name`, of scoring-environment, which its resources begin with), its `load_balancer` (`app/…`), the Terraform state that `promote` works on, and the roles that services there run with."
  type = map(object({
    name             = string
    load_balancer    = string
    state_bucket_arn = string
    state_key        = string
    pass_role_arns   = list(string)
  }))

  validation {
    condition     = length(var.environments) > 0 && alltrue([for each in keys(var.environments) : can(regex("^[a-z0-9][a-z0-9-]{0,19}$", each))])
    error_message = "Names of up to 20 lower-case letters, digits and '-'; at least one environment."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : can(regex("^[a-z0-9][a-z0-9-]*_[a-z0-9][a-z0-9-]*$", each.name)) && can(regex("^app/[A-Za-z0-9-]+/[0-9a-f]+$", each.load_balancer))])
    error_message = "`name` and `load_balancer` are those that scoring-environment gives: acme_qa and app/acme-qa-1a2b3c/50dc6c495c0c9188."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", each.state_bucket_arn)) && can(regex("^[A-Za-z0-9!_.'()/:-]+$", each.state_key)) && !startswith(each.state_key, "/") && !endswith(each.state_key, ".tflock")])
    error_message = "The state is one object: a bucket's ARN, and a key without wildcards."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : each.state_bucket_arn != var.store_bucket_arn])
    error_message = "A state is written anew at every change, which the store's bucket refuses: use another one."
  }

  validation {
    condition     = alltrue([for each in values(var.environments) : alltrue([for role in each.pass_role_arns : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/-]+$", role))])])
    error_message = "Whole ARNs of roles, without wildcards: who may pass any role has the rights of every one."
  }

  validation {
    condition     = length(distinct([for each in values(var.environments) : each.name])) == length(var.environments) && length(distinct([for each in values(var.environments) : "${each.state_bucket_arn}/${each.state_key}"])) == length(var.environments)
    error_message = "Each environment has a name and a state of its own."
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

variable "permissions_boundary_arn" {
  description = "A policy that bounds whatever these roles may do, where the account demands one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
