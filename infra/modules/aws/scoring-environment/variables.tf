variable "name" {
  description = "The platform's name, the first part of every name here, such as acme."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "Use small letters, digits and hyphens, beginning with a letter; at most 31 characters."
  }
}

variable "environment" {
  description = "The environment as mlops.yaml names it, such as production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.environment))
    error_message = "Use small letters, digits and hyphens, beginning with a letter; at most 32 characters."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "Give the id of a VPC, such as vpc-0123456789abcdef0."
  }
}

variable "public_subnet_ids" {
  description = "Where the load balancer is, in at least two availability zones. With `internal` these may be private ones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.public_subnet_ids)) >= 2
    error_message = "A load balancer needs subnets in at least two availability zones."
  }
}

variable "private_subnet_ids" {
  description = "Where the tasks are. They get no public addresses, so images and logs have to go through VPC endpoints or a NAT gateway."
  type        = list(string)

  validation {
    condition     = length(distinct(var.private_subnet_ids)) >= 2
    error_message = "Give subnets in at least two availability zones: one that fails then takes half of the tasks only."
  }
}

variable "repository_arns" {
  description = "The repositories that tasks may pull images from, and no others."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0 && alltrue([for arn in var.repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9/._-]*$", arn))])
    error_message = "Give full ARNs of repositories, without wildcards."
  }
}

variable "kms_key_arn" {
  description = "The key of the logs. Its policy has to let CloudWatch Logs use it, as that of the module kms does."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "Give the ARN of a key (not of an alias)."
  }
}

variable "allowed_cidrs" {
  description = "Who may reach the load balancer. Scoring services know no users: whoever reaches them may ask them. The runners that verify releases have to be among them."
  type        = list(string)

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "Give at least one range of IPv4 addresses, by its first address, such as 10.0.0.0/8."
  }
}

variable "https" {
  description = "The certificate and the domain that it is for. null: plain HTTP, for private ranges of addresses only."
  type = object({
    certificate_arn = string
    domain          = string
  })
  default = null

  validation {
    condition = var.https == null ? true : (
      can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.https.certificate_arn)) &&
      can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.https.domain))
    )
    error_message = "Give the ARN of a certificate of ACM, and a domain name in small letters without https://."
  }

  validation {
    condition = var.https != null || alltrue([
      for cidr in var.allowed_cidrs : anytrue([
        can(regex("^10\\..*/([89]|[12][0-9]|3[0-2])$", cidr)),
        can(regex("^172\\.(1[6-9]|2[0-9]|3[01])\\..*/(1[2-9]|2[0-9]|3[0-2])$", cidr)),
        can(regex("^192\\.168\\..*/(1[6-9]|2[0-9]|3[0-2])$", cidr)),
        can(regex("^100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\..*/([12][0-9]|3[0-2])$", cidr)),
      ])
    ])
    error_message = "Without a certificate only private addresses are allowed: what is asked and answered would cross the Internet in the clear."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = false
}

variable "egress_cidrs" {
  description = "Where tasks may open HTTPS connections to. They pull images and write logs, and the service itself asks nobody; with VPC endpoints the network's own range is enough."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.egress_cidrs : try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "Give ranges of IPv4 addresses, each by its first address, such as 10.0.0.0/16."
  }
}

variable "egress_prefix_lists" {
  description = "Prefix lists of AWS, by any name, that tasks may open HTTPS connections to: that of S3, where layers of images are, when there is no way out into the Internet."
  type        = map(string)
  default     = {}
}

variable "access_logs" {
  description = "The bucket that the load balancer writes its access logs to, and a prefix in it; null: none. Its policy has to let the region's log delivery write."
  type = object({
    bucket = string
    prefix = optional(string)
  })
  default = null
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted. Turn it off, apply, then destroy."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}
}
