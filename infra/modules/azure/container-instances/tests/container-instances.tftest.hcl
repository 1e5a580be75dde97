provider "azurerm" {
  features {}
}

variables {
  resource_group_name = "acme-ml-qa"
  location            = "westeurope"
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.Network/virtualNetworks/acme-ml/subnets/groups"
  pull_identity_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acmeml-pull"
  dns_zone            = { name = "ml.acme.internal", resource_group_name = "acme-ml" }

  serving = {
    environment = "qa"
    model       = "flight-delay"
    releases = {
      "1111111111111111111111111111111111111111111111111111111111111111" = {
        image     = "acmeml.example/flight-delay@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        version   = 1
        share     = 0
        arguments = ["--base-path=/qa/flight-delay"]
      }
    }
  }
}

run "started_and_not_yet_routed" {
  command = apply

  assert {
    condition     = azurerm_private_dns_cname_record.environment.record == "nobody.flight-delay.qa.ml.acme.internal"
    error_message = "The environment's address leads to nobody."
  }

  assert {
    condition     = jsonencode(one(azurerm_container_group.this["1111111111111111111111111111111111111111111111111111111111111111"].container).commands) == jsonencode(concat(var.entrypoint, ["--base-path=/qa/flight-delay"]))
    error_message = "The image's own entrypoint, and then what mlops-ci says."
  }

  assert {
    condition     = alltrue([for each in azurerm_container_group.this : each.ip_address_type == "Private" && each.dns_name_label == null && one(each.image_registry_credential).password == null])
    error_message = "No public address, no password."
  }

  assert {
    condition     = output.url == "http://flight-delay.qa.ml.acme.internal:8080/qa/flight-delay" && output.releases["1111111111111111111111111111111111111111111111111111111111111111"].url == "http://111111111111.flight-delay.qa.ml.acme.internal:8080/qa/flight-delay/releases/111111111111"
    error_message = "Addresses by the serving contract."
  }

  assert {
    condition     = output.serving == var.serving
    error_message = "What is in force can be read back."
  }
}

run "the_second_beside_the_first" {
  command = apply
  variables {
    serving = {
      environment = "qa"
      model       = "flight-delay"
      releases = {
        "1111111111111111111111111111111111111111111111111111111111111111" = {
          image = "acmeml.example/flight-delay@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", version = 1, share = 0, arguments = ["--base-path=/qa/flight-delay"]
        }
        "2222222222222222222222222222222222222222222222222222222222222222" = {
          image = "acmeml.example/flight-delay@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", version = 2, share = 100, arguments = ["--base-path=/qa/flight-delay"]
        }
      }
    }
  }

  assert {
    condition     = azurerm_container_group.this["1111111111111111111111111111111111111111111111111111111111111111"].id == run.started_and_not_yet_routed.group_ids["1111111111111111111111111111111111111111111111111111111111111111"]
    error_message = "The first is left as it was."
  }

  assert {
    condition     = azurerm_private_dns_cname_record.environment.record == "222222222222.flight-delay.qa.ml.acme.internal" && output.url == run.started_and_not_yet_routed.url
    error_message = "The same address leads to the second."
  }
}

run "a_divided_share_is_refused" {
  command = plan
  variables {
    serving = {
      environment = "qa"
      model       = "flight-delay"
      releases = {
        "1111111111111111111111111111111111111111111111111111111111111111" = { image = "acmeml.example/flight-delay@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", version = 1, share = 90, arguments = [] }
        "2222222222222222222222222222222222222222222222222222222222222222" = { image = "acmeml.example/flight-delay@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", version = 2, share = 10, arguments = [] }
      }
    }
  }
  expect_failures = [var.serving]
}

run "two_with_everything_are_refused" {
  command = plan
  variables {
    serving = {
      environment = "qa"
      model       = "flight-delay"
      releases = {
        "1111111111111111111111111111111111111111111111111111111111111111" = { image = "acmeml.example/flight-delay@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", version = 1, share = 100, arguments = [] }
        "2222222222222222222222222222222222222222222222222222222222222222" = { image = "acmeml.example/flight-delay@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", version = 2, share = 100, arguments = [] }
      }
    }
  }
  expect_failures = [var.serving]
}

run "an_image_by_its_tag_is_refused" {
  command = plan
  variables {
    serving = {
      environment = "qa"
      model       = "flight-delay"
      releases    = { "1111111111111111111111111111111111111111111111111111111111111111" = { image = "acmeml.example/flight-delay:v1", version = 1, share = 0, arguments = [] } }
    }
  }
  expect_failures = [var.serving]
}

run "a_shadow_is_refused" {
  command = plan
  variables {
    serving = { environment = "qa", model = "flight-delay", releases = {}, shadow = "1111111111111111111111111111111111111111111111111111111111111111" }
  }
  expect_failures = [var.serving]
}

run "other_refused_values" {
  command = plan
  variables {
    location         = "West Europe"
    subnet_id        = "groups"
    pull_identity_id = "acmeml-pull"
    dns_zone         = { name = "internal", resource_group_name = "acme-ml" }
    cpu              = 0
    memory_gb        = 0
    entrypoint       = []
  }
  expect_failures = [var.location, var.subnet_id, var.pull_identity_id, var.dns_zone, var.cpu, var.memory_gb, var.entrypoint]
}
