variable "name" {
  description = "What the network's parts are called."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,62}$", var.name))
    error_message = "Up to 63 lower-case letters, digits and '-'."
  }
}

variable "cidr" {
  description = "The network's addresses, cut into one public and one private part for each zone."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) <= 22 && tonumber(split("/", var.cidr)[1]) >= 16, false)
    error_message = "A network of /16 to /22, such as 10.40.0.0/16."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2\\d|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "Addresses that are nobody's on the internet: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16."
  }
}

variable "zones" {
  description = "In how many availability zones. A load balancer takes two at least."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "Two or three."
  }
}

variable "nat" {
  description = "How services reach the internet: `single` (one gateway; its zone's failure cuts off the others), `zonal` (one for each zone), `none` (only what `endpoints` names)."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "zonal", "none"], var.nat)
    error_message = "single, zonal or none."
  }
}

variable "endpoints" {
  description = "Services of AWS that are reached without the internet, at a price for each hour. With `nat = \"none\"` Fargate needs `ecr.api`, `ecr.dkr` and `logs`. S3 is always reached so, for nothing."
  type        = set(string)
  default     = []

  validation {
    condition     = var.nat != "none" || length(setsubtract(["ecr.api", "ecr.dkr", "logs"], var.endpoints)) == 0
    error_message = "Without NAT no service could pull its image: name ecr.api, ecr.dkr and logs."
  }
}

variable "kms_key_arn" {
  description = "The key that the record of connections is encrypted with."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "Give the key's ARN."
  }
}

variable "flow_log_days" {
  description = "For how many days the record of connections is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_days)
    error_message = "A number of days that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
