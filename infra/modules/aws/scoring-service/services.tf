resource "aws_ecs_task_definition" "release" {
  # checkov:skip=CKV_AWS_249: They are two: the environment names each, which cannot be seen from here.
  for_each = var.serving.releases

  family                   = "${var.environment.name}_${var.serving.model}_${local.short[each.key]}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.environment.execution_role_arn
  task_role_arn            = var.environment.task_role_arn
  tags                     = local.release_tags[each.key]

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  container_definitions = jsonencode([{
    name                   = local.container
    image                  = each.value.image
    command                = each.value.arguments
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    privileged             = false
    stopTimeout            = 30
    portMappings           = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.scoring.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = local.short[each.key]
        # A log that cannot be written does not hold up requests: lines are lost then.
        mode            = "non-blocking"
        max-buffer-size = "25m"
      }
    }
  }])
}

resource "aws_ecs_service" "release" {
  # checkov:skip=CKV_AWS_332: 1.4.0 is the latest; by its number, so that a new one comes by a change that is reviewed.
  for_each = var.serving.releases

  name                               = "${var.serving.model}_${local.short[each.key]}"
  cluster                            = var.environment.cluster_arn
  task_definition                    = aws_ecs_task_definition.release[each.key].arn
  launch_type                        = "FARGATE"
  platform_version                   = "1.4.0"
  desired_count                      = var.tasks
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  tags                               = local.release_tags[each.key]

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.environment.subnet_ids
    security_groups  = [var.environment.security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.release[each.key].arn
    container_name   = local.container
    container_port   = local.port
  }

  # A service takes a target group only when a load balancer knows it.
  depends_on = [aws_lb_listener_rule.release]

  lifecycle {
    # Requests leave a release before its service goes: what depends on it is changed first.
    create_before_destroy = true
    # How many tasks there are is up to the load, see autoscaling.tf.
    ignore_changes = [desired_count]
  }
}

locals {
  container = "scoring"
  port      = 8080 # the scoring image's own
}
