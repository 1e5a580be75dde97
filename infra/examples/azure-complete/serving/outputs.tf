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
