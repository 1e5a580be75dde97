# How releases are addressed, divided and kept apart.

mock_provider "aws" {}

variables {
  environment = {
    name               = "acme_production"
    environment        = "production"
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-1", "subnet-2"]
    cluster_arn        = "arn:aws:ecs:eu-central-1:123456789012:cluster/acme_production"
    cluster_name       = "acme_production"
    listener_arn       = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/acme-production-1a2b3c/50dc6c495c0c9188/f2f7dc8efc522ab2"
    load_balancer      = "app/acme-production-1a2b3c/50dc6c495c0c9188"
    address            = "http://acme.example.com"
    security_group_id  = "sg-0123456789abcdef0"
    execution_role_arn = "arn:aws:iam::123456789012:role/acme_production_execution"
    task_role_arn      = "arn:aws:iam::123456789012:role/acme_production_task"
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/3e5f1a5c-0000-4000-8000-000000000000"
  }
  serving = {
    environment = "production"
    model       = "late"
    releases = {
      (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 90, arguments = ["--workers=2"] }
      (format("%d%063d", 2, 0)) = { image = "registry/late@sha256:${format("%064d", 1)}", version = 2, share = 10, arguments = ["; rm -rf /", "$(id)"] }
    }
  }
}

override_resource {
  target          = aws_lb_target_group.release
  override_during = plan
  values = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/late/6d0ecf831eec9f09"
    arn_suffix = "targetgroup/late/6d0ecf831eec9f09"
  }
}

run "two_releases" {
  command = plan

  assert {
    condition     = output.url == "http://acme.example.com/production/late"
    error_message = "The stable address is that of environment and model."
  }

  assert {
    condition     = output.releases[format("%d%063d", 2, 0)].url == "http://acme.example.com/production/late/releases/200000000000"
    error_message = "A release is addressed by the first 12 digits of its id."
  }

  assert {
    condition     = output.serving == var.serving
    error_message = "What is served is told as it was given."
  }

  assert {
    condition     = alltrue([for rule in aws_lb_listener_rule.release : rule.priority < aws_lb_listener_rule.stable.priority && rule.priority >= 1])
    error_message = "The rule of a release has to be looked at before that of the model, whose path it is below."
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.release : can(regex("^late-[0-9a-f]{12}$", group.name)) && group.health_check[0].path == "/v2/health/ready"])
    error_message = "Names of target groups have a hash."
  }

  assert {
    condition = alltrue([for task in aws_ecs_task_definition.release : alltrue([for container in jsondecode(task.container_definitions) :
      container.readonlyRootFilesystem && container.user == "10001:10001" && !container.privileged && container.linuxParameters.capabilities.drop == ["ALL"]
    ])])
    error_message = "A service runs as nobody, on a read-only file system, without capabilities."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.release[format("%d%063d", 2, 0)].container_definitions)[0].command == ["; rm -rf /", "$(id)"]
    error_message = "Arguments are handed on word by word."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.release : !service.network_configuration[0].assign_public_ip && service.deployment_minimum_healthy_percent == 100 && service.deployment_circuit_breaker[0].rollback])
    error_message = "No public addresses, no fewer tasks while they are replaced, and back by itself where that fails."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.cpu) == 2 && length(aws_appautoscaling_policy.requests) == 0
    error_message = "Releases grow with their CPU; with their requests only where that is wanted."
  }
}

run "shares" {
  command = plan

  assert {
    condition     = { for group in aws_lb_listener_rule.stable.action[0].forward[0].target_group : tostring(group.weight) => true } == { "10" = true, "90" = true }
    error_message = "Weights are the shares."
  }
}

run "nothing_yet" {
  command = plan

  variables {
    serving = { environment = "production", model = "late", releases = {} }
  }

  assert {
    condition     = aws_lb_listener_rule.stable.action[0].fixed_response[0].status_code == "503" && length(output.releases) == 0
    error_message = "Where nothing is routed yet the model's address says so."
  }
}

run "last_slot" {
  command = plan

  variables {
    slot = 49
  }

  assert {
    condition     = aws_lb_listener_rule.stable.priority == 50000
    error_message = "The load balancer knows 50000 priorities, and the last is the stable rule of the last slot."
  }
}

# Both ids begin with the same eight digits, and so have the same number at first.
run "numbers_that_meet" {
  command = plan

  variables {
    serving = {
      environment = "production"
      model       = "late"
      releases = {
        (format("00000001%08d%048d", 10000, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 100, arguments = [] }
        (format("00000001%08d%048d", 20000, 0)) = { image = "registry/late@sha256:${format("%064d", 1)}", version = 1, share = 0, arguments = [] }
      }
    }
  }

  assert {
    condition     = sort([for rule in aws_lb_listener_rule.release : format("%03d", rule.priority)]) == tolist(["667", "834"])
    error_message = "Both move away, so that neither takes the number that the other one gives up."
  }
}

run "long_name" {
  command = plan

  variables {
    serving = {
      environment = "production"
      model       = "a-very--long-name-of-a-model-that-nobody-can-read"
      releases    = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 0, arguments = [] } }
    }
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.release : length(group.name) <= 32 && !strcontains(group.name, "--")])
    error_message = "Target groups have 32 characters, and no two hyphens side by side."
  }
}
