mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name               = "acme"
  environment        = "production"
  vpc_id             = "vpc-0123456789abcdef0"
  public_subnet_ids  = ["subnet-1", "subnet-2"]
  private_subnet_ids = ["subnet-3", "subnet-4"]
  repository_arns    = ["arn:aws:ecr:eu-central-1:123456789012:repository/acme/late"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
  allowed_cidrs      = ["10.0.0.0/8", "192.168.0.0/16"]
}

run "private_and_plain" {
  command = plan

  assert {
    condition     = aws_lb_listener.services.protocol == "HTTP" && length(aws_lb_listener.redirect) == 0 && length(aws_vpc_security_group_ingress_rule.clients) == 2
    error_message = "Without a certificate there is plain HTTP, for private addresses."
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection
    error_message = "Odd headers are dropped, and nobody deletes the load balancer by mistake."
  }

  assert {
    condition     = aws_lb_listener.services.default_action[0].fixed_response[0].status_code == "404"
    error_message = "What no rule knows goes to no model."
  }

  assert {
    condition     = can(regex("^acme-production-[0-9a-f]{6}$", aws_lb.this.name)) && output.environment.name == "acme_production"
    error_message = "Names are those of platform and environment."
  }
}

run "public_and_encrypted" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
    https         = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1", domain = "models.example.com" }
  }

  assert {
    condition     = aws_lb_listener.services.protocol == "HTTPS" && strcontains(aws_lb_listener.services.ssl_policy, "TLS13-1-2") && aws_lb_listener.redirect[0].default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "TLS 1.2 or newer, and plain HTTP is sent there."
  }

  assert {
    condition     = output.environment.address == "https://models.example.com"
    error_message = "The address is the domain that the certificate is for."
  }
}

# Their names joined by a hyphen would be the same.
run "names_that_could_be_mixed_up" {
  command = plan
  variables {
    name        = "acme-qa"
    environment = "x"
  }

  assert {
    condition     = output.environment.name == "acme-qa_x" && aws_lb.this.name != "acme-qa-x-${substr(sha256("acme_qa-x"), 0, 6)}"
    error_message = "Platform and environment stay apart in names."
  }
}

run "name_with_an_underscore" {
  command = plan
  variables {
    name = "ac_me"
  }
  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan
  variables {
    name = format("a%031d", 0)
  }
  expect_failures = [var.name]
}

run "environment_with_a_wildcard" {
  command = plan
  variables {
    environment = "*"
  }
  expect_failures = [var.environment]
}

run "not_a_network" {
  command = plan
  variables {
    vpc_id = "subnet-0123"
  }
  expect_failures = [var.vpc_id]
}

run "one_zone" {
  command = plan
  variables {
    public_subnet_ids = ["subnet-1", "subnet-1"]
  }
  expect_failures = [var.public_subnet_ids]
}

run "one_private_zone" {
  command = plan
  variables {
    private_subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.private_subnet_ids]
}

run "any_repository" {
  command = plan
  variables {
    repository_arns = ["*"]
  }
  expect_failures = [var.repository_arns]
}

run "all_repositories_of_a_team" {
  command = plan
  variables {
    repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/acme/*"]
  }
  expect_failures = [var.repository_arns]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/acme"
  }
  expect_failures = [var.kms_key_arn]
}

run "nobody" {
  command = plan
  variables {
    allowed_cidrs = []
  }
  expect_failures = [var.allowed_cidrs]
}

run "no_range" {
  command = plan
  variables {
    allowed_cidrs = ["10.0.0.0"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "not_its_first_address" {
  command = plan
  variables {
    allowed_cidrs = ["10.1.2.3/8"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "everybody_in_the_clear" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.https]
}

run "half_of_everybody_in_the_clear" {
  command = plan
  variables {
    allowed_cidrs = ["10.0.0.0/8", "0.0.0.0/1"]
  }
  expect_failures = [var.https]
}

run "more_than_private_in_the_clear" {
  command = plan
  variables {
    allowed_cidrs = ["172.0.0.0/8"]
  }
  expect_failures = [var.https]
}

run "public_addresses_in_the_clear" {
  command = plan
  variables {
    allowed_cidrs = ["203.0.113.0/24"]
  }
  expect_failures = [var.https]
}

run "domain_with_a_scheme" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1", domain = "https://models.example.com" }
  }
  expect_failures = [var.https]
}

run "no_certificate" {
  command = plan
  variables {
    https = { certificate_arn = "mine", domain = "models.example.com" }
  }
  expect_failures = [var.https]
}

run "way_out_that_is_no_range" {
  command = plan
  variables {
    egress_cidrs = ["everywhere"]
  }
  expect_failures = [var.egress_cidrs]
}
