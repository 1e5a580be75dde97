variable "create" {
  description = "Whether the provider is made here. An account has one for GitHub at most: false where somebody has made it."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource here."
  type        = map(string)
  default     = {}
}
