variable "name" {
  description = "What the batch is called, such as flight-delay-nightly."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "Use small letters, digits and hyphens, beginning with a letter; at most 31 characters."
  }
}

variable "environment" {
  description = "Where the task runs: the output `environment` of the module scoring-environment."
  type = object({
    name               = string
    environment        = string
    vpc_id             = string
    subnet_ids         = list(string)
    cluster_arn        = string
    execution_role_arn = string
    kms_key_arn        = string
  })
}

variable "image" {
  description = "An image of yours with the repository, its requirements and mlops-ci in it, by digest. The scoring image will not do: it answers requests and reads no files."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9./:_-]*@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image is named by its digest (repository@sha256:…), not by a tag, which may come to mean another one."
  }
}

variable "command" {
  description = "What is run in it, word by word, such as [\"mlops-ci\", \"score\", \"flight-delay\", \"--input\", \"/data/in/*.parquet\", \"--output\", \"/data/out/scored.parquet\"]. No shell looks at it."
  type        = list(string)

  validation {
    condition     = length(var.command) > 0
    error_message = "Give the command."
  }
}

variable "schedule" {
  description = "When it runs: rate(…), cron(…) or at(…) of EventBridge Scheduler."
  type        = string

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minutes?|hours?|days?)\\)|cron\\([^()]+\\)|at\\([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\))$", var.schedule))
    error_message = "Write rate(1 day), cron(0 3 * * ? *) or at(2026-01-31T03:00:00)."
  }
}

variable "timezone" {
  description = "The time zone of the schedule."
  type        = string
  default     = "UTC"
}

variable "enabled" {
  description = "Whether the schedule is on."
  type        = bool
  default     = true
}

variable "variables" {
  description = "Environment variables of the task, such as MLOPS_STORE. They can be read by whoever may describe tasks: no secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.variables) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !can(regex("(?i)(secret|password|token|private_key)", name))])
    error_message = "Names are letters, digits and underscores; what is called a secret, password, token or private key does not belong here (use `secrets`)."
  }
}

variable "secrets" {
  description = "Environment variables by the ARNs of their values in Secrets Manager or Parameter Store. The execution role has to be allowed to read them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:(secretsmanager|ssm):", arn))])
    error_message = "Give ARNs of Secrets Manager or Parameter Store."
  }
}

variable "files" {
  description = "An access point of EFS that the task sees as the folder `path`: inputs and outputs are there. `security_group_id` is that of its mount targets, which has to let the task in at port 2049. The access point's user has to be the image's (10001 unless `user` says otherwise). null: none."
  type = object({
    file_system_id    = string
    file_system_arn   = string
    access_point_id   = string
    access_point_arn  = string
    security_group_id = string
    path              = optional(string, "/data")
  })
  default = null

  validation {
    condition     = var.files == null ? true : can(regex("^fs-[0-9a-f]+$", var.files.file_system_id)) && can(regex("^fsap-[0-9a-f]+$", var.files.access_point_id)) && can(regex("^/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.files.path))
    error_message = "Give ids such as fs-0123456789abcdef0 and fsap-0123456789abcdef0, and an absolute path that is not the root."
  }
}

variable "policies" {
  description = "What else the task may do in AWS, as policies (JSON) by any name: reading the store, for one."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for policy in values(var.policies) : can(jsondecode(policy).Statement) && !anytrue(flatten([
      for statement in flatten([try(jsondecode(policy).Statement, [])]) : [
        for action in flatten([try(statement.Action, "*")]) : action == "*" || action == "*:*" if try(statement.Effect, "Allow") == "Allow"
      ]
    ]))])
    error_message = "Give policies as JSON with named actions: a task that may do everything is refused."
  }
}

variable "user" {
  description = "The user and group that the task runs as; never root."
  type        = string
  default     = "10001:10001"

  validation {
    condition     = can(regex("^[1-9][0-9]*:[1-9][0-9]*$", var.user))
    error_message = "Give user and group as numbers above 0."
  }
}

variable "cpu" {
  description = "The CPU of a task in units of Fargate; 1024 are one."
  type        = number
  default     = 1024

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }
}

variable "memory" {
  description = "The memory of a task in MiB; Fargate has two to eight MiB for each unit of CPU."
  type        = number
  default     = 4096

  validation {
    condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu && var.memory % 512 == 0
    error_message = "Fargate has two to eight MiB for each unit of CPU."
  }
}

variable "attempts" {
  description = "How often a run that cannot be started is tried again. One that has started and fails is not: the alarm tells."
  type        = number
  default     = 2

  validation {
    condition     = var.attempts >= 0 && var.attempts <= 185 && floor(var.attempts) == var.attempts
    error_message = "A whole number from 0 to 185."
  }
}

variable "egress_cidrs" {
  description = "Where the task may open HTTPS connections to: registry, log and store; with VPC endpoints the network's own range is enough."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.egress_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "Give ranges of IPv4 addresses, each by its first address, such as 10.0.0.0/16."
  }
}

variable "log_retention_days" {
  description = "How long the output of runs is kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch has 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 days and whole years up to ten."
  }
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
