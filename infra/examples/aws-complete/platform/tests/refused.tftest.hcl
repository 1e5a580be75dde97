# What is refused before anything is asked of AWS.

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
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name          = "acme"
  environments  = { qa = { allowed_cidrs = ["10.0.0.0/8"] } }
  models        = { late = { repository = "acme/late", repository_id = "1", repository_owner_id = "2", slot = 0 } }
  workflow_refs = ["refs/tags/v1.2.0"]
}

run "name_that_leaves_its_place" {
  command = plan
  variables {
    name = "acme/../other"
  }
  expect_failures = [var.name]
}

run "name_that_ends_in_a_hyphen" {
  command = plan
  variables {
    name = "acme-"
  }
  expect_failures = [var.name]
}

run "name_of_one_letter" {
  command = plan
  variables {
    name = "a"
  }
  expect_failures = [var.name]
}

run "no_region" {
  command = plan
  variables {
    region = "frankfurt"
  }
  expect_failures = [var.region]
}

run "no_environment" {
  command = plan
  variables {
    environments = {}
  }
  expect_failures = [var.environments]
}

run "first_one_is_missing" {
  command = plan
  variables {
    first_environment = "staging"
  }
  expect_failures = [var.first_environment]
}

run "no_model" {
  command = plan
  variables {
    models = {}
  }
  expect_failures = [var.models]
}

run "model_with_a_slash" {
  command = plan
  variables {
    models = { "a/b" = { repository = "acme/late", repository_id = "1", repository_owner_id = "2", slot = 0 } }
  }
  expect_failures = [var.models]
}

run "two_models_in_a_slot" {
  command = plan
  variables {
    models = { late = { repository = "acme/late", repository_id = "1", repository_owner_id = "2", slot = 0 }, early = { repository = "acme/late", repository_id = "1", repository_owner_id = "2", slot = 0 } }
  }
  expect_failures = [var.models]
}

run "slot_beyond" {
  command = plan
  variables {
    models = { late = { repository = "acme/late", repository_id = "1", repository_owner_id = "2", slot = 50 } }
  }
  expect_failures = [var.models]
}
