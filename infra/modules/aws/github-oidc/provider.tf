data "aws_caller_identity" "this" {
  count = var.create ? 0 : 1
}

data "aws_partition" "this" {
  count = var.create ? 0 : 1
}

locals {
  host = "token.actions.githubusercontent.com"
}

# No thumbprint: STS knows the authorities that sign GitHub's certificate, and looks at nothing else.
resource "aws_iam_openid_connect_provider" "this" {
  count          = var.create ? 1 : 0
  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}
