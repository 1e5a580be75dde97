terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The platform's own state begins on the machine that applies it first. Move it into the bucket that it makes:
  # uncomment, then `terraform init -migrate-state`.
  # backend "s3" {
  #   bucket       = "acme-mlops-states"
  #   key          = "platform.tfstate"
  #   region       = "eu-central-1"
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { "mlops-ci:platform" = var.name }
  }
}
