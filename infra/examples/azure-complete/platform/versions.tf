terraform {
  required_version = ">= 1.10"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.55, < 5.0"
    }
  }

  # The platform's own state begins on the machine that applies it first. Move it into the account that it makes:
  # uncomment, then `terraform init -migrate-state`.
  # backend "azurerm" {
  #   storage_account_name = "acmemlstore"
  #   container_name       = "state-platform"
  #   key                  = "terraform.tfstate"
  #   use_azuread_auth     = true
  # }
}

# The subscription is that of ARM_SUBSCRIPTION_ID.
provider "azurerm" {
  features {}
  storage_use_azuread = true # the store has no keys
}
