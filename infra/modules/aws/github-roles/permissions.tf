# What each role may do. None may delete from the store, write where something is, change a policy, or make a role.
data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.name
  partition = data.aws_partition.this.partition

  objects = "${var.store_bucket_arn}/*"
  via_s3  = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }

  read = concat(
    [
      { Sid = "ReadStore", Action = ["s3:GetObject"], Resource = [local.objects] },
      { Sid = "ListStore", Action = ["s3:ListBucket"], Resource = [var.store_bucket_arn] },
      { Sid = "Decrypt", Action = ["kms:Decrypt"], Resource = [var.kms_key_arn], Condition = local.via_s3 },
    ],
    length(var.data_bucket_arns) == 0 ? [] : [
      { Sid = "ReadData", Action = ["s3:GetObject", "s3:ListBucket"], Resource = flatten([for each in var.data_bucket_arns : [each, "${each}/*"]]) },
    ],
  )

  encrypt = [{ Sid = "Encrypt", Action = ["kms:GenerateDataKey"], Resource = [var.kms_key_arn], Condition = local.via_s3 }]

  # A put that says `If-None-Match` makes something, and never writes over it.
  create_only = { Null = { "s3:if-none-match" = "false" } }

  # What `admit` adds, by core/layout.py: no version, no release and no event, so that no pull request's job can forge one.
  admit = concat(local.encrypt, [{
    Sid       = "CreateCandidates"
    Action    = ["s3:PutObject"]
    Resource  = [for each in ["blobs", "candidates", "looks", "decided"] : "${var.store_bucket_arn}/${each}/*"]
    Condition = local.create_only
  }])

  create = concat(local.encrypt, [{
    Sid       = "Create"
    Action    = ["s3:PutObject"]
    Resource  = [local.objects]
    Condition = local.create_only
  }])

  pull = [
    { Sid = "SignInToRegistry", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
    { Sid = "Pull", Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"], Resource = var.repository_arns },
  ]

  push = [
    { Sid = "Push", Action = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"], Resource = var.repository_arns },
  ]
}

locals {
  arns = { for service in ["ecs", "elasticloadbalancing", "logs", "cloudwatch", "application-autoscaling", "ssm"] : service => "arn:${local.partition}:${service}:${local.region}:${local.account}" }

  definitions = { for environment, each in var.environments : environment => [for model in var.models : "${local.arns["ecs"]}:task-definition/${each.name}_${model}_*"] }
  services    = { for environment, each in var.environments : environment => [for model in var.models : "${local.arns["ecs"]}:service/${each.name}/${model}_*"] }

  # Dashboards are of no region.
  watched = ["${local.arns["cloudwatch"]}:alarm:", "arn:${local.partition}:cloudwatch::${local.account}:dashboard/"]

  # What `terraform` does in an environment for these models. Several teams share an environment: their services differ
  # by the models' names, and target groups and rules, whose own names say nothing, by their tags.
  deploy = {
    for environment, each in var.environments : environment => concat(
      [
        { Sid = "State", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["${each.state_bucket_arn}/${each.state_key}", "${each.state_bucket_arn}/${each.state_key}.tflock"] },
        { Sid = "UnlockState", Action = ["s3:DeleteObject"], Resource = ["${each.state_bucket_arn}/${each.state_key}.tflock"] },
        # `init` asks for the workspaces.
        { Sid = "FindState", Action = ["s3:ListBucket"], Resource = [each.state_bucket_arn], Condition = { StringEquals = { "s3:prefix" = [each.state_key, "env:/"] } } },
        {
          # These know no resources. ECS keeps a definition that is no longer registered for the tasks that run.
          Sid = "Look"
          Action = [
            "application-autoscaling:Describe*", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics",
            "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "elasticloadbalancing:Describe*", "logs:DescribeLogGroups",
            "tag:GetResources",
          ]
          Resource = ["*"]
        },
        {
          Sid      = "Define"
          Action   = ["ecs:ListTagsForResource", "ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UntagResource"]
          Resource = local.definitions[environment]
        },
        {
          # A definition brings its role along, and nobody asks again who may pass that: so only the environment's own.
          Sid       = "Serve"
          Action    = ["ecs:CreateService"]
          Resource  = local.services[environment]
          Condition = { ArnLike = { "ecs:task-definition" = local.definitions[environment] } }
        },
        {
          # Who changes the number of tasks names no definition.
          Sid       = "ChangeServices"
          Action    = ["ecs:UpdateService"]
          Resource  = local.services[environment]
          Condition = { ArnLikeIfExists = { "ecs:task-definition" = local.definitions[environment] } }
        },
        {
          Sid      = "KeepServices"
          Action   = ["ecs:DeleteService", "ecs:DescribeServices", "ecs:ListTagsForResource", "ecs:TagResource", "ecs:UntagResource"]
          Resource = local.services[environment]
        },
        {
          Sid       = "MakeTargets"
          Action    = ["elasticloadbalancing:CreateRule", "elasticloadbalancing:CreateTargetGroup"]
          Resource  = ["${local.arns["elasticloadbalancing"]}:targetgroup/*", "${local.arns["elasticloadbalancing"]}:listener/${each.load_balancer}/*"]
          Condition = { StringEquals = { "aws:RequestTag/mlops-ci:environment" = each.name }, StringLike = { "aws:RequestTag/mlops-ci:model" = var.models } }
        },
        {
          # Tags only at birth: who could tag what is there could make it theirs.
          Sid       = "TagTargets"
          Action    = ["elasticloadbalancing:AddTags"]
          Resource  = ["${local.arns["elasticloadbalancing"]}:targetgroup/*", "${local.arns["elasticloadbalancing"]}:listener-rule/${each.load_balancer}/*"]
          Condition = { StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateRule", "CreateTargetGroup"] } }
        },
        {
          Sid = "ChangeTargets"
          Action = [
            "elasticloadbalancing:DeleteRule", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyRule",
            "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:SetRulePriorities",
          ]
          Resource  = ["${local.arns["elasticloadbalancing"]}:targetgroup/*", "${local.arns["elasticloadbalancing"]}:listener-rule/${each.load_balancer}/*"]
          Condition = { StringEquals = { "aws:ResourceTag/mlops-ci:environment" = each.name }, StringLike = { "aws:ResourceTag/mlops-ci:model" = var.models } }
        },
        {
          # No deletion: the log of what was predicted outlives the services.
          Sid = "Logs"
          Action = [
            "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents",
            "logs:ListTagsForResource", "logs:PutRetentionPolicy", "logs:TagResource",
          ]
          Resource = flatten([for model in var.models : ["${local.arns["logs"]}:log-group:/mlops-ci/${each.name}/${model}", "${local.arns["logs"]}:log-group:/mlops-ci/${each.name}/${model}:*"]])
        },
        {
          Sid = "Watch"
          Action = [
            "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
            "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
          ]
          Resource = flatten([for model in var.models : [for kind in local.watched : ["${kind}${each.name}_${model}", "${kind}${each.name}_${model}_*"]]])
        },
        {
          # The number of tasks of services of ECS, those of others in the account among them: their ids are random here.
          Sid = "Scale"
          Action = [
            "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget",
          ]
          Resource  = ["${local.arns["application-autoscaling"]}:scalable-target/*"]
          Condition = { StringEquals = { "application-autoscaling:service-namespace" = "ecs" } }
        },
        { Sid = "TagScaling", Action = ["application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource"], Resource = ["${local.arns["application-autoscaling"]}:scalable-target/*"] },
        { Sid = "Settings", Action = ["ssm:GetParameter"], Resource = ["${local.arns["ssm"]}:parameter/mlops-ci/${replace(each.name, "_", "/")}"] },
      ],
      length(each.pass_role_arns) == 0 ? [] : [{
        Sid       = "RunServices"
        Action    = ["iam:PassRole"]
        Resource  = each.pass_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      }],
    )
  }

  # `monitor` reads what every environment predicts, and finds it by the outputs of its Terraform state.
  observe = concat(
    [
      { Sid = "ReadStates", Action = ["s3:GetObject"], Resource = [for each in var.environments : "${each.state_bucket_arn}/${each.state_key}"] },
      {
        Sid      = "ReadLogs"
        Action   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
        Resource = flatten([for each in var.environments : [for model in var.models : "${local.arns["logs"]}:log-group:/mlops-ci/${each.name}/${model}:*"]])
      },
    ],
    [for environment, each in var.environments : {
      Sid = "FindState${index(keys(var.environments), environment)}", Action = ["s3:ListBucket"], Resource = [each.state_bucket_arn], Condition = { StringEquals = { "s3:prefix" = [each.state_key, "env:/"] } }
    }],
  )

  permitted = merge(
    {
      read    = { store = local.read }
      admit   = { store = concat(local.read, local.admit) }
      release = { store = concat(local.read, local.create, local.pull, local.push), deploy = local.deploy[var.first_environment], observe = local.observe }
    },
    { for environment in keys(var.environments) : "environment-${environment}" => { store = concat(local.read, local.create, local.pull), deploy = local.deploy[environment] } },
  )
}

locals {
  policies = merge([
    for role, policies in local.permitted : {
      for name, statements in policies : "${role}/${name}" => {
        role     = role
        name     = name
        document = jsonencode({ Version = "2012-10-17", Statement = [for each in statements : merge({ Effect = "Allow" }, each)] })
      }
    }
  ]...)
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies
  role     = aws_iam_role.this[each.value.role].name
  name     = each.value.name
  policy   = each.value.document

  lifecycle {
    precondition {
      condition     = sum([for other in local.policies : length(other.document) if other.role == each.value.role]) <= 10240
      error_message = "IAM takes 10240 characters of policies for a role. Name fewer models, by their common beginning: `pricing-*`."
    }
  }
}
