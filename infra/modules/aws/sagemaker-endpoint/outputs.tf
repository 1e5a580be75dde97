output "endpoint_name" {
  description = "What clients name when they invoke it (`sagemaker:InvokeEndpoint`)."
  value       = aws_sagemaker_endpoint.this.name
}

output "endpoint_arn" {
  description = "The endpoint's ARN, for the policies of clients."
  value       = aws_sagemaker_endpoint.this.arn
}
