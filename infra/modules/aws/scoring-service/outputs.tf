output "url" {
  description = "The model's stable address, whatever is released."
  value       = "${local.address}${local.path}"

  depends_on = [aws_lb_listener_rule.stable]
}

output "releases" {
  description = "The address of each release alone, by its id."
  value       = { for id, short in local.short : id => { url = "${local.address}${local.path}/releases/${short}" } }

  depends_on = [aws_lb_listener_rule.stable]
}

output "serving" {
  description = "What is served, as it was given: mlops-ci reads it back from the state."
  value       = var.serving

  depends_on = [aws_lb_listener_rule.stable]
}

output "traffic" {
  description = "Where requests of each release are counted."
  value = {
    kind          = "cloudwatch"
    region        = data.aws_region.current.name
    load_balancer = var.environment.load_balancer
    target_groups = { for id, group in aws_lb_target_group.release : id => group.arn_suffix }
  }
}

output "logs" {
  description = "Where the logs of each release are: the streams begin with the prefix of its id."
  value = {
    kind    = "cloudwatch"
    region  = data.aws_region.current.name
    group   = aws_cloudwatch_log_group.scoring.name
    streams = local.short
  }
}

output "cluster_name" {
  description = "The cluster that the services run in, for the module monitoring."
  value       = var.environment.cluster_name
}

output "service_names" {
  description = "The services in the cluster by release."
  value       = { for id, service in aws_ecs_service.release : id => service.name }
}
