# What is refused before anything is asked of AWS.

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
  serving = { environment = "production", model = "late", releases = {} }
}

run "model_with_a_wildcard" {
  command = plan
  variables {
    serving = { environment = "production", model = "late*", releases = {} }
  }
  expect_failures = [var.serving]
}

run "model_with_a_slash" {
  command = plan
  variables {
    serving = { environment = "production", model = "late/../other", releases = {} }
  }
  expect_failures = [var.serving]
}

run "model_with_a_line_end" {
  command = plan
  variables {
    serving = { environment = "production", model = "late\nother", releases = {} }
  }
  expect_failures = [var.serving]
}

run "environment_of_somebody_else" {
  command = plan
  variables {
    serving = { environment = "qa", model = "late", releases = {} }
  }
  expect_failures = [var.serving]
}

run "paths_too_long" {
  command = plan
  variables {
    environment = merge(var.environment, { environment = format("e%059d", 0) })
    serving     = { environment = format("e%059d", 0), model = format("m%062d", 0), releases = {} }
  }
  expect_failures = [var.serving]
}

run "short_id" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { ("abc") = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "id_in_capitals" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (upper(format("a%063d", 0))) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "ids_with_the_same_beginning" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%064d", 1)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 50, arguments = ["--workers=2"] }, (format("%064d", 2)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 50, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "image_by_tag" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late:latest", version = 1, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "image_of_a_short_digest" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:abc", version = 1, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "image_with_a_space" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late x@sha256:${format("%064d", 0)}", version = 1, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "version_of_a_half" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1.5, share = 100, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "shares_of_ninety" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 90, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "share_of_a_half" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 99.5, arguments = ["--workers=2"] }, (format("%d%063d", 2, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 0.5, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "share_below_nothing" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 110, arguments = ["--workers=2"] }, (format("%d%063d", 2, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = -10, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "six_releases_at_once" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 50, arguments = ["--workers=2"] }, (format("%d%063d", 2, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 10, arguments = ["--workers=2"] }, (format("%d%063d", 3, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 10, arguments = ["--workers=2"] }, (format("%d%063d", 4, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 10, arguments = ["--workers=2"] }, (format("%d%063d", 5, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 10, arguments = ["--workers=2"] }, (format("%d%063d", 6, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 10, arguments = ["--workers=2"] } } }
  }
  expect_failures = [var.serving]
}

run "shadow" {
  command = plan
  variables {
    serving = { environment = "production", model = "late", releases = { (format("%d%063d", 1, 0)) = { image = "registry/late@sha256:${format("%064d", 0)}", version = 1, share = 100, arguments = ["--workers=2"] } }, shadow = "late" }
  }
  expect_failures = [var.serving]
}

run "slot_beyond" {
  command = plan
  variables {
    slot = 50
  }
  expect_failures = [var.slot]
}

run "slot_of_a_half" {
  command = plan
  variables {
    slot = 0.5
  }
  expect_failures = [var.slot]
}

run "address_with_a_path" {
  command = plan
  variables {
    public_url = "https://models.example.com/x"
  }
  expect_failures = [var.public_url]
}

run "address_without_scheme" {
  command = plan
  variables {
    public_url = "models.example.com"
  }
  expect_failures = [var.public_url]
}

run "cpu_that_fargate_lacks" {
  command = plan
  variables {
    cpu = 300
  }
  expect_failures = [var.cpu]
}

run "memory_that_fargate_lacks" {
  command = plan
  variables {
    memory = 1500
  }
  expect_failures = [var.memory]
}

run "memory_for_another_cpu" {
  command = plan
  variables {
    memory = 8192
  }
  expect_failures = [var.memory]
}

run "architecture" {
  command = plan
  variables {
    architecture = "riscv"
  }
  expect_failures = [var.architecture]
}

run "no_tasks" {
  command = plan
  variables {
    tasks = 0
  }
  expect_failures = [var.tasks]
}

run "fewer_at_most_than_at_least" {
  command = plan
  variables {
    autoscaling = { max_tasks = 1 }
  }
  expect_failures = [var.autoscaling]
}

run "cpu_target_beyond" {
  command = plan
  variables {
    autoscaling = { max_tasks = 4, cpu_percent = 100 }
  }
  expect_failures = [var.autoscaling]
}

run "no_requests" {
  command = plan
  variables {
    autoscaling = { max_tasks = 4, requests_minute = 0 }
  }
  expect_failures = [var.autoscaling]
}

run "retention_that_cloudwatch_lacks" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "no_time_to_drain" {
  command = plan
  variables {
    drain_seconds = 0
  }
  expect_failures = [var.drain_seconds]
}
