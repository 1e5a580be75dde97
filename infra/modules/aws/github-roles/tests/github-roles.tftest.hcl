# What the documents let through is asked in tests/infra/test_policies.py.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_iam_role" {
    override_during = plan
    defaults        = { arn = "arn:aws:iam::111122223333:role/some" }
  }
}

variables {
  name                = "flight-delay"
  provider_arn        = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
  repository          = "acme/flight-delay"
  repository_id       = "456789"
  repository_owner_id = "123456"
  workflow_refs       = ["refs/tags/v1.2.0", "refs/tags/v1.3.0"]
  models              = ["flight-delay"]
  store_bucket_arn    = "arn:aws:s3:::acme-ml-store"
  kms_key_arn         = "arn:aws:kms:eu-central-1:111122223333:key/0d3f1c3e-77aa-4a36-9f8c-2f8a2d1c7b11"
  repository_arns     = ["arn:aws:ecr:eu-central-1:111122223333:repository/acme/flight-delay"]
  environments = {
    qa = {
      name             = "acme_qa"
      load_balancer    = "app/acme-qa-1a2b3c/50dc6c495c0c9188"
      state_bucket_arn = "arn:aws:s3:::acme-ml-state"
      state_key        = "flight-delay/qa.tfstate"
      pass_role_arns   = ["arn:aws:iam::111122223333:role/acme_qa-task"]
    }
    production = {
      name             = "acme_production"
      load_balancer    = "app/acme-production-1a2b3c/50dc6c495c0c9188"
      state_bucket_arn = "arn:aws:s3:::acme-ml-state"
      state_key        = "flight-delay/production.tfstate"
      pass_role_arns   = []
    }
  }
}

run "a_role_for_each_kind_of_job" {
  command = plan

  assert {
    condition     = toset([for each in aws_iam_role.this : each.name]) == toset(["flight-delay-read", "flight-delay-admit", "flight-delay-release", "flight-delay-environment-qa", "flight-delay-environment-production"])
    error_message = "One role reads, one admits, one releases, and one for each environment promotes."
  }

  assert {
    condition     = toset(keys(output.environment_role_arns)) == toset(["qa", "production"])
    error_message = "The environments' roles are found by their names."
  }
}

run "many_models_have_to_share_a_beginning" {
  command = plan
  variables {
    models = [for number in range(60) : "model-${number}"]
  }
  expect_failures = [aws_iam_role_policy.this]
}

run "many_models_by_their_beginning" {
  command = plan
  variables {
    models = ["pricing-*"]
  }
}

run "wildcards_of_repositories_are_refused" {
  command = plan
  variables {
    repository = "acme/*"
  }
  expect_failures = [var.repository]
}

run "wildcards_of_workflows_are_refused" {
  command = plan
  variables {
    workflow_refs = ["*"]
  }
  expect_failures = [var.workflow_refs]
}

run "branches_of_the_toolkit_are_refused" {
  command = plan
  variables {
    workflow_refs = ["refs/heads/main"]
  }
  expect_failures = [var.workflow_refs]
}

run "wildcards_elsewhere_are_refused" {
  command = plan
  variables {
    workflow_repository = "mlops-ci/*"
    main_branch         = "*"
    models              = ["*"]
    store_bucket_arn    = "arn:aws:s3:::acme-*"
    kms_key_arn         = "arn:aws:kms:eu-central-1:111122223333:key/*"
    repository_arns     = ["arn:aws:ecr:eu-central-1:111122223333:repository/*"]
    data_bucket_arns    = ["arn:aws:s3:::*"]
    repository_id       = "*"
    repository_owner_id = "*"
  }
  expect_failures = [
    var.workflow_repository, var.main_branch, var.models, var.store_bucket_arn, var.kms_key_arn, var.repository_arns,
    var.data_bucket_arns, var.repository_id, var.repository_owner_id,
  ]
}

run "passing_any_role_is_refused" {
  command = plan
  variables {
    environments = {
      qa = {
        name             = "acme_qa"
        load_balancer    = "app/acme-qa-1a2b3c/50dc6c495c0c9188"
        state_bucket_arn = "arn:aws:s3:::acme-ml-state"
        state_key        = "flight-delay/qa.tfstate"
        pass_role_arns   = ["*"]
      }
    }
  }
  expect_failures = [var.environments]
}

run "one_state_for_two_environments_is_refused" {
  command = plan
  variables {
    environments = {
      for environment in ["qa", "production"] : environment => {
        name             = "acme_${environment}"
        load_balancer    = "app/acme-qa-1a2b3c/50dc6c495c0c9188"
        state_bucket_arn = "arn:aws:s3:::acme-ml-state"
        state_key        = "flight-delay.tfstate"
        pass_role_arns   = []
      }
    }
  }
  expect_failures = [var.environments]
}

run "other_refused_values" {
  command = plan
  variables {
    name              = "Flight Delay"
    provider_arn      = "arn:aws:iam::111122223333:oidc-provider/accounts.google.com"
    first_environment = "staging"
    admit_environment = "qa"
  }
  expect_failures = [var.name, var.provider_arn, var.first_environment, var.admit_environment]
}
