mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

run "one_audience" {
  command = plan
  assert {
    condition     = aws_iam_openid_connect_provider.this[0].url == "https://token.actions.githubusercontent.com" && tolist(aws_iam_openid_connect_provider.this[0].client_id_list) == tolist(["sts.amazonaws.com"])
    error_message = "GitHub's tokens, and only those made for AWS."
  }
}

run "the_accounts_own" {
  command = plan
  variables {
    create = false
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && output.provider_arn == "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    error_message = "The one that is there."
  }
}
