output "environment" {
  description = "What the modules scoring-service and batch-scoring take as `environment`."
  value = {
    name               = local.name
    environment        = var.environment
    vpc_id             = var.vpc_id
    subnet_ids         = var.private_subnet_ids
    cluster_arn        = aws_ecs_cluster.this.arn
    cluster_name       = aws_ecs_cluster.this.name
    listener_arn       = aws_lb_listener.services.arn
    load_balancer      = aws_lb.this.arn_suffix
    address            = var.https == null ? "http://${aws_lb.this.dns_name}" : "https://${var.https.domain}"
    security_group_id  = aws_security_group.tasks.id
    execution_role_arn = aws_iam_role.execution.arn
    task_role_arn      = aws_iam_role.task.arn
    kms_key_arn        = var.kms_key_arn
  }
}

output "pass_role_arns" {
  description = "The roles that whoever deploys services here has to be allowed to pass on, to ecs-tasks.amazonaws.com only."
  value       = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
}

output "load_balancer" {
  description = "Where a domain's alias record has to point to."
  value = {
    dns_name = aws_lb.this.dns_name
    zone_id  = aws_lb.this.zone_id
  }
}
