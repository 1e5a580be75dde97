resource "aws_lb_target_group" "release" {
  # checkov:skip=CKV_AWS_378: The load balancer ends TLS; from there to the task it is the private network, from one security group to another.
  for_each = var.serving.releases

  name                          = local.groups[each.key]
  vpc_id                        = var.environment.vpc_id
  target_type                   = "ip"
  protocol                      = "HTTP"
  port                          = local.port
  deregistration_delay          = var.drain_seconds
  load_balancing_algorithm_type = "least_outstanding_requests"
  tags                          = local.release_tags[each.key]

  health_check {
    path                = "/v2/health/ready"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The address of one release alone, by which it is verified before anybody is sent there.
resource "aws_lb_listener_rule" "release" {
  for_each = var.serving.releases

  listener_arn = var.environment.listener_arn
  priority     = local.priorities[each.key]
  tags         = local.release_tags[each.key]

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.release[each.key].arn
  }

  condition {
    path_pattern {
      values = ["${local.path}/releases/${local.short[each.key]}", "${local.path}/releases/${local.short[each.key]}/*"]
    }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(distinct(values(local.priorities))) == length(local.priorities)
      error_message = "Two of these releases would get the same priority in the load balancer. Stop one of them first."
    }
  }
}

# The model's address: requests are divided among the releases by their shares.
resource "aws_lb_listener_rule" "stable" {
  listener_arn = var.environment.listener_arn
  priority     = local.priority + 1000
  tags         = local.tags

  dynamic "action" {
    for_each = length(local.routed) == 0 ? [] : [local.routed]
    content {
      type = "forward"
      forward {
        dynamic "target_group" {
          for_each = action.value
          content {
            arn    = aws_lb_target_group.release[target_group.key].arn
            weight = target_group.value
          }
        }
      }
    }
  }

  dynamic "action" {
    for_each = length(local.routed) == 0 ? ["nothing is routed yet"] : []
    content {
      type = "fixed-response"
      fixed_response {
        content_type = "text/plain"
        message_body = action.value
        status_code  = "503"
      }
    }
  }

  condition {
    path_pattern {
      values = [local.path, "${local.path}/*"]
    }
  }

  # Nobody is sent to a service that is not there yet, or not any more.
  depends_on = [aws_ecs_service.release]
}
