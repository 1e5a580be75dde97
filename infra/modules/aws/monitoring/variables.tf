variable "name" {
  description = "What the alarms and the dashboard are called by, such as acme_production_flight-delay."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,180}$", var.name))
    error_message = "Use letters, digits, underscores and hyphens; at most 181 characters."
  }
}

variable "traffic" {
  description = "Where requests are counted: the output `traffic` of the module scoring-service. null: nothing is served."
  type = object({
    region        = string
    load_balancer = string
    target_groups = map(string)
  })
  default = null

  validation {
    condition     = var.traffic == null ? true : length(var.traffic.target_groups) <= 9
    error_message = "One alarm looks at nine releases at most."
  }
}

variable "services" {
  description = "The cluster and the services by release, for the dashboard: outputs `cluster_name` and `service_names` of the module scoring-service."
  type = object({
    cluster_name  = string
    service_names = map(string)
  })
  default = null
}

variable "batch" {
  description = "Scheduled tasks to watch, by any name: the output `runs` of the module batch-scoring."
  type = map(object({
    cluster_arn       = string
    task_family       = string
    dead_letter_queue = string
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.batch) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$", name))])
    error_message = "Names of batches are letters, digits, underscores and hyphens; at most 31 characters."
  }
}

variable "thresholds" {
  description = "When there is an alarm: share of answers 5xx in per cent (from `least_requests` in five minutes on), the slowest hundredth in seconds, and for how many minutes nobody may ask (null: as long as you like)."
  type = object({
    error_percent   = optional(number, 1)
    least_requests  = optional(number, 20)
    latency_seconds = optional(number, 1)
    quiet_minutes   = optional(number)
  })
  default = {}

  validation {
    condition     = var.thresholds.error_percent > 0 && var.thresholds.error_percent <= 100 && var.thresholds.latency_seconds > 0 && var.thresholds.least_requests >= 1
    error_message = "`error_percent` is above 0 and at most 100, `latency_seconds` above 0, `least_requests` 1 or more."
  }

  validation {
    condition = var.thresholds.quiet_minutes == null ? true : (
      var.thresholds.quiet_minutes >= 1 && var.thresholds.quiet_minutes <= 1440 && floor(var.thresholds.quiet_minutes) == var.thresholds.quiet_minutes
    )
    error_message = "`quiet_minutes` is a whole number from 1 to 1440."
  }
}

variable "emails" {
  description = "Who is told, by a topic of its own. Each address has to confirm it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Give addresses of e-mail."
  }
}

variable "topic" {
  description = "A topic that is there already, instead of one of its own."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.topic == null ? true : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic.arn))
    error_message = "Give the ARN of a topic of SNS."
  }

  validation {
    condition     = var.topic == null || length(var.emails) == 0
    error_message = "Addresses are subscribed to a topic of its own only: give `emails` or `topic`."
  }
}

variable "kms_key_arn" {
  description = "The key of the topic. Its policy has to let CloudWatch and EventBridge use it, as that of the module kms does."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "Give the ARN of a key (not of an alias)."
  }
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
