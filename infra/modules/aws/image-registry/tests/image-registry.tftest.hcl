mock_provider "aws" {
  mock_resource "aws_ecr_repository" {
    override_during = plan
    defaults = {
      repository_url = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/acme/flight-delay"
      arn            = "arn:aws:ecr:eu-central-1:111122223333:repository/acme/flight-delay"
    }
  }
}

variables {
  repositories = ["acme/flight-delay", "acme/rain"]
  kms_key_arn  = "arn:aws:kms:eu-central-1:111122223333:key/0d3f1c3e-77aa-4a36-9f8c-2f8a2d1c7b11"
}

run "tags_that_stay_and_images_that_are_looked_at" {
  command = plan

  assert {
    condition     = alltrue([for each in aws_ecr_repository.this : each.image_tag_mutability == "IMMUTABLE" && one(each.image_scanning_configuration).scan_on_push && one(each.encryption_configuration).kms_key == var.kms_key_arn && !each.force_delete])
    error_message = "No tag ever moves, each image is scanned, and all are encrypted with the given key."
  }

  assert {
    condition     = alltrue([for each in aws_ecr_lifecycle_policy.this : alltrue([for rule in jsondecode(each.policy).rules : rule.selection.tagStatus == "untagged"])])
    error_message = "No image with a tag ever goes: a release names it."
  }

  assert {
    condition     = output.registry == "111122223333.dkr.ecr.eu-central-1.amazonaws.com" && length(output.repository_urls) == 2
    error_message = "The host, and an address for each repository."
  }
}

run "capital_letters_are_refused" {
  command = plan
  variables {
    repositories = ["Acme/flight-delay"]
  }
  expect_failures = [var.repositories]
}

run "other_refused_values" {
  command = plan
  variables {
    kms_key_arn   = "alias/acme-ml"
    untagged_days = 0
  }
  expect_failures = [var.kms_key_arn, var.untagged_days]
}
