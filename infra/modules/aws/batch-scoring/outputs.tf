output "runs" {
  description = "What the module monitoring takes as an entry of `batch`."
  value = {
    cluster_arn       = var.environment.cluster_arn
    task_family       = aws_ecs_task_definition.run.family
    dead_letter_queue = aws_sqs_queue.not_started.name
  }
}

output "task_role_arn" {
  description = "The role of the run, for policies of buckets and keys."
  value       = aws_iam_role.task.arn
}

output "security_group_id" {
  description = "Where runs come from: the file system's security group has to let it in at port 2049."
  value       = aws_security_group.run.id
}

output "log_group" {
  description = "Where the output of runs is."
  value       = aws_cloudwatch_log_group.runs.name
}
