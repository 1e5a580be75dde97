# What mlops-ci reads. See docs/targets.md.

output "url" {
  description = "The model's stable address."
  value       = module.scoring.url
}

output "releases" {
  description = "The address of each release alone."
  value       = module.scoring.releases
}

output "serving" {
  description = "What is served."
  value       = module.scoring.serving
}

output "traffic" {
  description = "Where requests are counted."
  value       = module.scoring.traffic
}

output "logs" {
  description = "Where the logs are."
  value       = module.scoring.logs
}
