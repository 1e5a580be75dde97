variable "environment" {
  description = "Where the services run: the output `environment` of the module scoring-environment."
  type = object({
    name               = string
    environment        = string
    vpc_id             = string
    subnet_ids         = list(string)
    cluster_arn        = string
    cluster_name       = string
    listener_arn       = string
    load_balancer      = string
    address            = string
    security_group_id  = string
    execution_role_arn = string
    task_role_arn      = string
    kms_key_arn        = string
  })
}

variable "serving" {
  description = "What is to be served: the one variable that mlops-ci gives. Shares are whole per cent; they sum up to 100, or to 0 where nothing is routed yet."
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
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.serving.model)) && can(regex("^[a-z][a-z0-9-]{0,62}$", var.serving.environment))
    error_message = "Names of models and environments are small letters, digits and hyphens, beginning with a letter."
  }

  validation {
    condition     = var.serving.environment == var.environment.environment
    error_message = "This is for another environment than the one that the services would run in."
  }

  validation {
    condition     = length("/${var.serving.environment}/${var.serving.model}/releases/0123456789ab/*") <= 128
    error_message = "The names of environment and model are too long together: a load balancer takes paths of 128 characters."
  }

  validation {
    condition     = alltrue([for id in keys(var.serving.releases) : can(regex("^[0-9a-f]{64}$", id))])
    error_message = "A release is named by its full id, 64 hexadecimal digits."
  }

  validation {
    condition     = length(distinct([for id in keys(var.serving.releases) : substr(id, 0, 12)])) == length(var.serving.releases)
    error_message = "Two releases have the same first 12 digits, by which their addresses tell them apart."
  }

  validation {
    condition     = alltrue([for release in values(var.serving.releases) : can(regex("^[a-zA-Z0-9][a-zA-Z0-9./:_-]*@sha256:[0-9a-f]{64}$", release.image))])
    error_message = "An image is named by its digest (repository@sha256:…), not by a tag, which may come to mean another one."
  }

  validation {
    condition     = alltrue([for release in values(var.serving.releases) : release.version >= 0 && floor(release.version) == release.version])
    error_message = "A version is a whole number."
  }

  validation {
    condition = alltrue([for release in values(var.serving.releases) : release.share >= 0 && release.share <= 100 && floor(release.share) == release.share]) && contains(
      [0, 100], sum(concat([0], [for release in values(var.serving.releases) : release.share]))
    )
    error_message = "Shares are whole per cent and have to sum up to 100, or to 0 where nothing is routed yet."
  }

  validation {
    condition     = length([for release in values(var.serving.releases) : release if release.share > 0]) <= 5
    error_message = "A load balancer divides requests among five releases at most."
  }

  validation {
    condition     = var.serving.shadow == null
    error_message = "A load balancer of AWS cannot copy requests to a shadow."
  }
}

variable "slot" {
  description = "Which of the listener's 50 blocks of priorities the rules of this model take. Models that share an environment need different ones."
  type        = number
  default     = 0

  validation {
    condition     = var.slot >= 0 && var.slot < 50 && floor(var.slot) == var.slot
    error_message = "A slot is a whole number from 0 to 49."
  }
}

variable "public_url" {
  description = "What clients call the load balancer, where that is not the address of the environment."
  type        = string
  default     = null

  validation {
    condition     = var.public_url == null ? true : can(regex("^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$", var.public_url))
    error_message = "Give a scheme and a host, such as https://models.example.com, without a path or a slash at its end."
  }
}

variable "cpu" {
  description = "The CPU of a task in units of Fargate; 1024 are one."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }
}

variable "memory" {
  description = "The memory of a task in MiB."
  type        = number
  default     = 1024

  validation {
    condition = var.memory == floor(var.memory) && anytrue([
      var.cpu == 256 && contains([512, 1024, 2048], var.memory),
      var.cpu == 512 && var.memory >= 1024 && var.memory <= 4096 && var.memory % 1024 == 0,
      var.cpu == 1024 && var.memory >= 2048 && var.memory <= 8192 && var.memory % 1024 == 0,
      var.cpu == 2048 && var.memory >= 4096 && var.memory <= 16384 && var.memory % 1024 == 0,
      var.cpu == 4096 && var.memory >= 8192 && var.memory <= 30720 && var.memory % 1024 == 0,
      var.cpu == 8192 && var.memory >= 16384 && var.memory <= 61440 && var.memory % 4096 == 0,
      var.cpu == 16384 && var.memory >= 32768 && var.memory <= 122880 && var.memory % 8192 == 0,
    ])
    error_message = "Fargate does not have this much memory with this CPU. With 512 units it has 1024 to 4096 MiB, with 1024 2048 to 8192, in steps of 1024."
  }
}

variable "architecture" {
  description = "The platform that the images are built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "Fargate has X86_64 and ARM64."
  }
}

variable "tasks" {
  description = "How many tasks a release starts with, and has at least with `autoscaling`. A release that runs keeps its number when this changes."
  type        = number
  default     = 2

  validation {
    condition     = var.tasks >= 1 && var.tasks <= 1000 && floor(var.tasks) == var.tasks
    error_message = "A release has at least one task; two survive the failure of one availability zone."
  }
}

variable "autoscaling" {
  description = "Up to how many tasks a release gets when its CPU (mean, per cent) or its requests (per task and minute; null: not looked at) exceed these targets. null: as many as it starts with."
  type = object({
    max_tasks       = number
    cpu_percent     = optional(number, 60)
    requests_minute = optional(number)
  })
  default = { max_tasks = 10 }

  validation {
    condition     = var.autoscaling == null ? true : var.autoscaling.max_tasks >= var.tasks && var.autoscaling.max_tasks <= 1000 && floor(var.autoscaling.max_tasks) == var.autoscaling.max_tasks
    error_message = "`max_tasks` is a whole number that is not below `tasks`."
  }

  validation {
    condition     = var.autoscaling == null ? true : var.autoscaling.cpu_percent >= 10 && var.autoscaling.cpu_percent <= 90 && coalesce(var.autoscaling.requests_minute, 1) > 0
    error_message = "`cpu_percent` is from 10 to 90, and `requests_minute` above 0."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept. They hold the prediction log, which has what clients sent."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch has 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 days and whole years up to ten."
  }
}

variable "drain_seconds" {
  description = "How long a task that leaves may still answer what it was asked before. It is taken out of the load balancer first."
  type        = number
  default     = 30

  validation {
    condition     = var.drain_seconds >= 5 && var.drain_seconds <= 3600 && floor(var.drain_seconds) == var.drain_seconds
    error_message = "A whole number of seconds from 5 to 3600: with less, requests in flight would be cut off."
  }
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
