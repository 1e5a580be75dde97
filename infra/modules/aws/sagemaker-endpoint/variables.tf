variable "name" {
  description = "What the endpoint is called, such as acme-production-flight-delay."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9]([a-zA-Z0-9]|-[a-zA-Z0-9]){0,40}$", var.name))
    error_message = "Use letters, digits and single hyphens; at most 41 characters, since an ending that tells releases apart comes after it."
  }
}

variable "image" {
  description = "An image in ECR, by digest, that answers `GET /ping` and `POST /invocations` at port 8080 when it is started with the argument `serve`. The scoring image does not: see README.md."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9][a-z0-9/._-]*@sha256:[0-9a-f]{64}$", var.image))
    error_message = "SageMaker takes images from ECR; name it by its digest (account.dkr.ecr.region.amazonaws.com/repository@sha256:…)."
  }
}

variable "repository_arn" {
  description = "The repository of the image, which is all that the endpoint may pull."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9/._-]*$", var.repository_arn))
    error_message = "Give the full ARN of a repository, without wildcards."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in at least two availability zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "Give subnets in at least two availability zones."
  }
}

variable "security_group_ids" {
  description = "What the model may open connections to. Nobody connects to it: SageMaker brings requests in."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) >= 1
    error_message = "Give at least one security group."
  }
}

variable "kms_key_arn" {
  description = "The key of the instances' disks."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "Give the ARN of a key (not of an alias)."
  }
}

variable "instance_type" {
  description = "The kind of instances."
  type        = string
  default     = "ml.m7i.large"

  validation {
    condition     = can(regex("^ml\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "Give a type such as ml.m7i.large."
  }
}

variable "instances" {
  description = "How many instances; two survive the failure of one."
  type        = number
  default     = 2

  validation {
    condition     = var.instances >= 1 && var.instances <= 100 && floor(var.instances) == var.instances
    error_message = "A whole number from 1 to 100."
  }
}

variable "alarm_names" {
  description = "Alarms of CloudWatch that take a change back while it goes out."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
