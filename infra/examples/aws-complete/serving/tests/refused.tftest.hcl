# What is refused before anything is made.

mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = {
      insecure_value = "{\"environment\": {\"name\": \"acme_qa\", \"environment\": \"qa\", \"vpc_id\": \"vpc-0123456789abcdef0\", \"subnet_ids\": [\"subnet-1\", \"subnet-2\"], \"cluster_arn\": \"arn:aws:ecs:eu-central-1:123456789012:cluster/acme_qa\", \"cluster_name\": \"acme_qa\", \"listener_arn\": \"arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/acme-qa-1a2b3c/50dc6c495c0c9188/f2f7dc8efc522ab2\", \"load_balancer\": \"app/acme-qa-1a2b3c/50dc6c495c0c9188\", \"address\": \"http://acme.example.com\", \"security_group_id\": \"sg-0123456789abcdef0\", \"execution_role_arn\": \"arn:aws:iam::123456789012:role/acme_qa_execution\", \"task_role_arn\": \"arn:aws:iam::123456789012:role/acme_qa_task\", \"kms_key_arn\": \"arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000\"}, \"topic_arn\": \"arn:aws:sns:eu-central-1:123456789012:acme_mlops_alarms\", \"slots\": {\"late\": 7}}"
    }
  }
}

variables {
  platform = "acme"
  serving  = { environment = "qa", model = "late", releases = {} }
}

run "what_is_meant" {
  command = plan

  assert {
    condition     = output.url == "http://acme.example.com/qa/late"
    error_message = "The address is what the platform wrote down."
  }
}

run "model_that_the_platform_does_not_know" {
  command = plan
  variables {
    serving = { environment = "qa", model = "other", releases = {} }
  }
  expect_failures = [data.aws_ssm_parameter.environment]
}

run "environment_that_leaves_its_place" {
  command = plan
  variables {
    serving = { environment = "../qa", model = "late", releases = {} }
  }
  expect_failures = [var.serving]
}

run "model_with_a_wildcard" {
  command = plan
  variables {
    serving = { environment = "qa", model = "l*", releases = {} }
  }
  expect_failures = [var.serving]
}

run "platform_that_leaves_its_place" {
  command = plan
  variables {
    platform = "../acme"
  }
  expect_failures = [var.platform]
}

run "no_region" {
  command = plan
  variables {
    region = "frankfurt"
  }
  expect_failures = [var.region]
}
