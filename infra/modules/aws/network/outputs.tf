output "vpc_id" {
  description = "The network's id."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "The network's addresses."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "The subnets of load balancers, one for each zone."
  value       = aws_subnet.public[*].id
}

output "private_subnet_ids" {
  description = "The subnets of services, one for each zone."
  value       = aws_subnet.private[*].id
  # What starts there needs its way out.
  depends_on = [aws_route.private, aws_vpc_endpoint.s3, aws_vpc_endpoint.interface]
}

output "s3_prefix_list_id" {
  description = "The addresses of S3 as seen from inside, for rules of security groups."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
