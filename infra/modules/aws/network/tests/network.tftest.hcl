mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  name        = "acme-ml"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0d3f1c3e-77aa-4a36-9f8c-2f8a2d1c7b11"
}

run "two_zones_and_one_way_out" {
  command = plan

  assert {
    condition     = toset(concat(aws_subnet.public[*].cidr_block, aws_subnet.private[*].cidr_block)) == toset(["10.40.0.0/20", "10.40.16.0/20", "10.40.128.0/20", "10.40.144.0/20"])
    error_message = "A public and a private part for each zone, that do not meet."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.private) == 2 && alltrue([for each in aws_subnet.public : !each.map_public_ip_on_launch])
    error_message = "One gateway serves both zones, and nothing gets a public address by itself."
  }
}

run "a_way_out_for_each_zone" {
  command = plan
  variables {
    zones = 3
    nat   = "zonal"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.private) == 3
    error_message = "Three gateways."
  }
}

run "no_way_out" {
  command = plan
  variables {
    nat       = "none"
    endpoints = ["ecr.api", "ecr.dkr", "logs"]
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.private) == 0 && length(aws_vpc_endpoint.interface) == 3
    error_message = "Only services of AWS are reached."
  }
}

run "no_way_out_and_no_image_is_refused" {
  command = plan
  variables {
    nat = "none"
  }
  expect_failures = [var.endpoints]
}

run "public_addresses_are_refused" {
  command = plan
  variables {
    cidr = "8.8.0.0/16"
  }
  expect_failures = [var.cidr]
}

run "other_refused_values" {
  command = plan
  variables {
    name          = "acme ml"
    cidr          = "10.40.0.0/28"
    zones         = 1
    nat           = "double"
    flow_log_days = 2
    kms_key_arn   = "alias/acme-ml"
  }
  expect_failures = [var.name, var.cidr, var.zones, var.nat, var.flow_log_days, var.kms_key_arn]
}
