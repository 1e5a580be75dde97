# Who may take on which identity. Entra ID compares the whole subject and nothing else, so that everything that has to be
# demanded has to be in the subject: GitHub puts it there once it is told to (the output `subject_claims`). A token of a
# repository that was not told so fits nothing.
#   repository_owner_id, repository_id   numbers, which nobody gets again who takes over a name
#   context                              what the job runs for: `environment:production`, `pull_request`, a branch
#   ref_protected, or ref                the branch. A workflow file on any branch can name an environment, and call the
#                                        trusted workflow, which checks that branch out. `main` is told from such a
#                                        branch by its protection; or by its name, where no pull request has to get
#                                        in: theirs is another one each time.
#   job_workflow_ref                     the reusable workflow, at a version, whose steps the job consists of
locals {
  subject_claims = ["repository_owner_id", "repository_id", "context", var.pull_requests ? "ref_protected" : "ref", "job_workflow_ref"]

  repository = "repository_owner_id:${var.repository_owner_id}:repository_id:${var.repository_id}"
  main       = var.pull_requests ? "ref_protected:true" : "ref:refs/heads/${var.main_branch}"

  # Their code, or their branch's, is not yet anybody's but the author's.
  of_pull_requests = {
    # The code of a pull request runs with this one, and can ask for it.
    read = { context = "pull_request", branch = "ref_protected:false", workflows = ["model-pull-request"] }
    # Runs for pull requests, but none of their code.
    admit = { context = "environment:${var.admit_environment}", branch = "ref_protected:false", workflows = ["model-pull-request"] }
  }

  # By identity: what the job runs for, its branch, and the workflows that do.
  trusted = merge(
    { for identity, each in local.of_pull_requests : identity => each if var.pull_requests },
    { release = { context = "ref:refs/heads/${var.main_branch}", branch = local.main, workflows = ["model-release", "model-retrain", "model-monitor", "model-score"] } },
    { for environment in keys(var.environments) : "environment-${environment}" => { context = "environment:${environment}", branch = local.main, workflows = ["model-promote", "model-rollback"] } },
  )

  credentials = merge([
    for identity, each in local.trusted : {
      for pair in setproduct(each.workflows, var.workflow_refs) : "${identity}/${pair[0]}@${pair[1]}" => {
        identity = identity
        name     = "${pair[0]}-${substr(sha256(pair[1]), 0, 8)}"
        subject  = "${local.repository}:${each.context}:${each.branch}:job_workflow_ref:${var.workflow_repository}/.github/workflows/${pair[0]}.yml@${pair[1]}"
      }
    }
  ]...)
}

resource "azurerm_user_assigned_identity" "this" {
  for_each            = local.trusted
  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "this" {
  for_each            = local.credentials
  name                = each.value.name
  resource_group_name = var.resource_group_name
  parent_id           = azurerm_user_assigned_identity.this[each.value.identity].id
  issuer              = "https://token.actions.githubusercontent.com"
  audience            = ["api://AzureADTokenExchange"]
  subject             = each.value.subject
}
