locals {
  scaled = var.autoscaling == null ? {} : var.serving.releases
}

resource "aws_appautoscaling_target" "release" {
  for_each = local.scaled

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.environment.cluster_name}/${aws_ecs_service.release[each.key].name}"
  min_capacity       = var.tasks
  max_capacity       = var.autoscaling.max_tasks
  tags               = local.release_tags[each.key]
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.scaled

  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.release[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.release[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.release[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling.cpu_percent
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  for_each = try(var.autoscaling.requests_minute, null) == null ? {} : local.scaled

  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.release[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.release[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.release[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling.requests_minute
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${var.environment.load_balancer}/${aws_lb_target_group.release[each.key].arn_suffix}"
    }
  }
}
