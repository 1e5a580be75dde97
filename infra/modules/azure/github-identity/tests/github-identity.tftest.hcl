provider "azurerm" {
  features {}
}

variables {
  name                = "flight-delay"
  resource_group_name = "acme-ml"
  location            = "westeurope"
  repository_id       = "123456"
  repository_owner_id = "654321"
  workflow_refs       = ["refs/tags/v1.2.0"]
  store_container_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore/blobServices/default/containers/mlops"
  registry_id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.ContainerRegistry/registries/acmeml"

  environments = {
    qa = {
      state = { container_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore/blobServices/default/containers/state-qa" }
      container_instances = {
        resource_group_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml-qa"
        subnet_id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Network/virtualNetworks/acme-ml/subnets/groups"
        dns_zone_id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Network/privateDnsZones/ml.acme.internal"
        pull_identity_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acmeml-pull"
      }
    }
    production = {
      kubernetes = {
        cluster_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.ContainerService/managedClusters/acme-ml"
        namespace  = "flight-delay"
      }
    }
  }
}

run "exact_subjects" {
  command = plan

  assert {
    condition     = azurerm_federated_identity_credential.this["environment-production/model-promote@refs/tags/v1.2.0"].subject == "repository_owner_id:654321:repository_id:123456:environment:production:ref_protected:true:job_workflow_ref:mlops-ci/mlops-ci/.github/workflows/model-promote.yml@refs/tags/v1.2.0"
    error_message = "Numbers, environment, a protected branch, the workflow at its version."
  }

  assert {
    condition     = alltrue([for each in azurerm_federated_identity_credential.this : !strcontains(each.subject, "*") && length(each.subject) <= 600 && one(each.audience) == "api://AzureADTokenExchange"])
    error_message = "No wildcards, one audience."
  }

  assert {
    condition     = alltrue([for identity in keys(local.trusted) : length([for each in local.credentials : each if each.identity == identity]) <= 20])
    error_message = "An identity trusts 20 subjects at most."
  }
}

run "without_pull_requests_the_branch_is_known_by_its_name" {
  command = plan
  variables {
    pull_requests = false
  }

  assert {
    condition     = azurerm_federated_identity_credential.this["environment-production/model-promote@refs/tags/v1.2.0"].subject == "repository_owner_id:654321:repository_id:123456:environment:production:ref:refs/heads/main:job_workflow_ref:mlops-ci/mlops-ci/.github/workflows/model-promote.yml@refs/tags/v1.2.0"
    error_message = "The branch, by its name."
  }

  assert {
    condition     = toset(keys(azurerm_user_assigned_identity.this)) == toset(["release", "environment-qa", "environment-production"]) && output.read_client_id == null && output.admit_client_id == null
    error_message = "Nothing that a pull request could take on."
  }

  assert {
    condition     = output.subject_claims == ["repository_owner_id", "repository_id", "context", "ref", "job_workflow_ref"]
    error_message = "GitHub is told to say the name."
  }
}

run "refused_values" {
  command = plan
  variables {
    location            = "West Europe"
    name                = "*"
    repository_id       = "flight-delay"
    repository_owner_id = "acme"
    workflow_repository = "*/*"
    workflow_refs       = ["refs/heads/main"]
    main_branch         = "*"
    store_container_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore"
    registry_id         = "acmeml"
  }
  expect_failures = [
    var.location,
    var.name, var.repository_id, var.repository_owner_id, var.workflow_repository, var.workflow_refs, var.main_branch,
    var.store_container_id, var.registry_id,
  ]
}

run "too_many_versions_and_environments_that_are_none_are_refused" {
  command = plan
  variables {
    admit_environment = "qa"
    first_environment = "staging"
    workflow_refs     = ["refs/tags/v1", "refs/tags/v2", "refs/tags/v3", "refs/tags/v4", "refs/tags/v5", "refs/tags/v6"]
  }
  expect_failures = [var.workflow_refs, var.admit_environment, var.first_environment]
}

run "a_state_in_the_store_is_refused" {
  command = plan
  variables {
    environments = { qa = { state = { container_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Storage/storageAccounts/acmemlstore/blobServices/default/containers/mlops" } } }
  }
  expect_failures = [var.environments]
}

run "every_namespace_is_refused" {
  command = plan
  variables {
    environments = { qa = { kubernetes = { cluster_id = "/subscriptions/x/resourceGroups/y/providers/Microsoft.ContainerService/managedClusters/z", namespace = "*" } } }
  }
  expect_failures = [var.environments]
}
