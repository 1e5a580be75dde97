"""What a role could be asked to do in AWS, and which roles may: one row for each action, resource and condition keys."""

# ruff: noqa: E501 - a table: one row a line

from __future__ import annotations

from collections.abc import Mapping

from tests.infra.account import ACCOUNT
from tests.infra.tokens import ADMIT, PRODUCTION, QA, READ, RELEASE, ROLES

STORE, STATE = "arn:aws:s3:::acme-ml-store", "arn:aws:s3:::acme-ml-state"
CREATED = {"s3:if-none-match": "*"}
WRITERS, DEPLOYERS = ROLES - {READ, ADMIT}, ROLES - {READ, ADMIT}
AT_QA, AT_PRODUCTION = {RELEASE, QA}, {PRODUCTION}
HERE = f"eu-central-1:{ACCOUNT}"
ECS, ELB = f"arn:aws:ecs:{HERE}", f"arn:aws:elasticloadbalancing:{HERE}"
GROUP, RULE = (
    f"{ELB}:targetgroup/flight-delay-0a1b2c3d/1",
    f"{ELB}:listener-rule/app/acme-%s-1a2b3c/50dc6c495c0c9188/2/3",
)
LISTENER = f"{ELB}:listener/app/acme-%s-1a2b3c/50dc6c495c0c9188/2"
SERVICE = f"{ECS}:service/acme_%s/flight-delay_0123456789ab"
SCALED = f"arn:aws:application-autoscaling:{HERE}:scalable-target/0a1b2c"
TASKS = "arn:aws:iam::123456789012:role/acme_%s-tasks"
ECR = f"arn:aws:ecr:{HERE}:repository/acme"
KEY = "KEY"  # stands for the ARN of the key, which is known when it is made


def tags(kind: str, environment: str, model: str = "flight-delay") -> dict[str, str]:
    return {f"aws:{kind}/mlops-ci:environment": f"acme_{environment}", f"aws:{kind}/mlops-ci:model": model}


def passed(service: str = "ecs-tasks.amazonaws.com") -> dict[str, str]:
    return {"iam:PassedToService": service}


def defined(environment: str, model: str = "flight-delay") -> dict[str, str]:
    return {"ecs:task-definition": f"{ECS}:task-definition/acme_{environment}_{model}_0123456789ab:3"}


Ask = tuple[str, str, Mapping[str, str], set[str]]
ASKED: dict[str, Ask] = {
    # the store
    "read a blob": ("s3:GetObject", f"{STORE}/blobs/sha256/aa/1", {}, ROLES),
    "list": ("s3:ListBucket", STORE, {}, ROLES),
    "create a blob": ("s3:PutObject", f"{STORE}/blobs/sha256/aa/1", CREATED, ROLES - {READ}),
    "create a candidate": ("s3:PutObject", f"{STORE}/candidates/flight-delay/1.json", CREATED, ROLES - {READ}),
    "count a look": ("s3:PutObject", f"{STORE}/looks/1/2.json", CREATED, ROLES - {READ}),
    "create an event": ("s3:PutObject", f"{STORE}/events/flight-delay/1.json", CREATED, WRITERS),
    "create a version": ("s3:PutObject", f"{STORE}/versions/flight-delay/1.json", CREATED, WRITERS),
    "create a release": ("s3:PutObject", f"{STORE}/releases/1.json", CREATED, WRITERS),
    "create beside the blobs": ("s3:PutObject", f"{STORE}/blobs2/1", CREATED, WRITERS),
    "write over a blob": ("s3:PutObject", f"{STORE}/blobs/sha256/aa/1", {}, set()),
    "write over an event": ("s3:PutObject", f"{STORE}/events/flight-delay/1.json", {}, set()),
    "write over a certain object": ("s3:PutObject", f"{STORE}/events/flight-delay/1.json", {"s3:if-match": "etag"}, set()),
    "create with another key": ("s3:PutObject", f"{STORE}/blobs/1", CREATED | {"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-central-1:999999999999:key/1"}, set()),
    "create with the bucket's key, named": ("s3:PutObject", f"{STORE}/blobs/1", CREATED | {"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": KEY}, ROLES - {READ}),
    "create without the key": ("s3:PutObject", f"{STORE}/blobs/1", CREATED | {"s3:x-amz-server-side-encryption": "AES256"}, set()),
    "create with a key of one's own": ("s3:PutObject", f"{STORE}/blobs/1", CREATED | {"s3:x-amz-server-side-encryption-customer-algorithm": "AES256"}, set()),
    "create without TLS": ("s3:PutObject", f"{STORE}/blobs/1", CREATED | {"aws:SecureTransport": "false"}, set()),
    "read without TLS": ("s3:GetObject", f"{STORE}/blobs/1", {"aws:SecureTransport": "false"}, set()),
    "list without TLS": ("s3:ListBucket", STORE, {"aws:SecureTransport": "false"}, set()),
    "read by TLS 1.1": ("s3:GetObject", f"{STORE}/blobs/1", {"s3:TlsVersion": "1.1"}, set()),
    **{f"s3:{action} of the store": (f"s3:{action}", f"{STORE}/events/flight-delay/1.json", CREATED, set()) for action in (
        "DeleteObject", "DeleteObjectVersion", "PutObjectAcl", "PutObjectRetention", "PutObjectLegalHold", "BypassGovernanceRetention",
        "PutObjectTagging", "RestoreObject", "ReplicateDelete", "GetObjectVersion")},
    **{f"s3:{action} of the store": (f"s3:{action}", STORE, {}, set()) for action in (
        "PutBucketPolicy", "DeleteBucketPolicy", "PutLifecycleConfiguration", "PutBucketVersioning", "PutEncryptionConfiguration",
        "PutBucketPublicAccessBlock", "PutBucketObjectLockConfiguration", "PutReplicationConfiguration", "DeleteBucket", "PutBucketAcl")},
    "read another bucket": ("s3:GetObject", "arn:aws:s3:::acme-ml-store-2/x", {}, set()),
    "list all buckets": ("s3:ListAllMyBuckets", "*", {}, set()),
    "read the training data": ("s3:GetObject", "arn:aws:s3:::acme-flights/2026.parquet", {}, ROLES),
    "change the training data": ("s3:PutObject", "arn:aws:s3:::acme-flights/2026.parquet", CREATED, set()),
    # the key
    "decrypt through S3": ("kms:Decrypt", KEY, {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}, ROLES),
    "decrypt by oneself": ("kms:Decrypt", KEY, {}, set()),
    "encrypt through S3": ("kms:GenerateDataKey", KEY, {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}, ROLES - {READ}),
    "encrypt by oneself": ("kms:GenerateDataKey", KEY, {}, set()),
    **{f"kms:{action}": (f"kms:{action}", KEY, {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}, set()) for action in (
        "ScheduleKeyDeletion", "PutKeyPolicy", "DisableKey", "CreateGrant", "DisableKeyRotation")},
    # images
    "sign in to the registry": ("ecr:GetAuthorizationToken", "*", {}, WRITERS),
    "pull": ("ecr:BatchGetImage", f"{ECR}/flight-delay", {}, WRITERS),
    "push": ("ecr:PutImage", f"{ECR}/flight-delay", {}, {RELEASE}),
    "push a layer": ("ecr:UploadLayerPart", f"{ECR}/flight-delay", {}, {RELEASE}),
    "push to another model's": ("ecr:PutImage", f"{ECR}/rain", {}, set()),
    **{f"ecr:{action}": (f"ecr:{action}", f"{ECR}/flight-delay", {}, set()) for action in (
        "BatchDeleteImage", "DeleteRepository", "PutImageTagMutability", "SetRepositoryPolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy")},
    # states
    "read the state of qa": ("s3:GetObject", f"{STATE}/flight-delay/qa.tfstate", {}, AT_QA),
    "write the state of qa": ("s3:PutObject", f"{STATE}/flight-delay/qa.tfstate", {}, AT_QA),
    "read the state of production": ("s3:GetObject", f"{STATE}/flight-delay/production.tfstate", {}, AT_PRODUCTION | {RELEASE}),
    "write the state of production": ("s3:PutObject", f"{STATE}/flight-delay/production.tfstate", {}, AT_PRODUCTION),
    "remove a state": ("s3:DeleteObject", f"{STATE}/flight-delay/production.tfstate", {}, set()),
    "lock production": ("s3:PutObject", f"{STATE}/flight-delay/production.tfstate.tflock", {}, AT_PRODUCTION),
    "unlock production": ("s3:DeleteObject", f"{STATE}/flight-delay/production.tfstate.tflock", {}, AT_PRODUCTION),
    "unlock qa": ("s3:DeleteObject", f"{STATE}/flight-delay/qa.tfstate.tflock", {}, AT_QA),
    "find the state": ("s3:ListBucket", STATE, {"s3:prefix": "flight-delay/production.tfstate"}, AT_PRODUCTION | {RELEASE}),
    "list all states": ("s3:ListBucket", STATE, {}, set()),
    "list another team's states": ("s3:ListBucket", STATE, {"s3:prefix": "rain/"}, set()),
    "read another team's state": ("s3:GetObject", f"{STATE}/rain/production.tfstate", {}, set()),
    "change the states' policy": ("s3:PutBucketPolicy", STATE, {}, set()),
    # services
    **{f"{action} in {environment}": (f"ecs:{action}", SERVICE % environment, defined(environment), roles)
       for environment, roles in (("qa", AT_QA), ("production", AT_PRODUCTION)) for action in ("CreateService", "UpdateService", "DeleteService")},
    "change a service's number of tasks": ("ecs:UpdateService", SERVICE % "qa", {}, AT_QA),
    "run production's definition, and so as its role, in qa": ("ecs:CreateService", SERVICE % "qa", defined("production"), set()),
    "change a service of qa to production's definition": ("ecs:UpdateService", SERVICE % "qa", defined("production"), set()),
    "run another model's definition": ("ecs:CreateService", SERVICE % "qa", defined("qa", "rain"), set()),
    "run a definition that nobody names": ("ecs:CreateService", SERVICE % "qa", {}, set()),
    "update another model's service": ("ecs:UpdateService", f"{ECS}:service/acme_production/rain_0123456789ab", {}, set()),
    "update a service of a longer name": ("ecs:UpdateService", f"{ECS}:service/acme_production/flight-delay-2_0123456789ab", {}, set()),
    "update a service of a longer environment": ("ecs:UpdateService", f"{ECS}:service/acme_production2/flight-delay_0123456789ab", {}, set()),
    "define a task of production": ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/acme_production_flight-delay_0123456789ab:1", {}, AT_PRODUCTION),
    "define another model's task": ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/acme_production_rain_0123456789ab:1", {}, set()),
    **{f"ecs:{action}": (f"ecs:{action}", f"{ECS}:cluster/acme_production", {}, set()) for action in (
        "RunTask", "StartTask", "StopTask", "ExecuteCommand", "DeleteCluster", "UpdateCluster", "CreateCluster", "PutAccountSetting", "DeleteTaskDefinitions")},
    "run a command in a task": ("ecs:ExecuteCommand", f"{ECS}:task/acme_production/1", {}, set()),
    # roles
    "run as production's tasks": ("iam:PassRole", TASKS % "production", passed(), AT_PRODUCTION),
    "run as qa's tasks": ("iam:PassRole", TASKS % "qa", passed(), AT_QA),
    "pass production's role to a function": ("iam:PassRole", TASKS % "production", passed("lambda.amazonaws.com"), set()),
    "pass production's role to a machine": ("iam:PassRole", TASKS % "production", passed("ec2.amazonaws.com"), set()),
    "pass it without saying to whom": ("iam:PassRole", TASKS % "production", {}, set()),
    "run as an administrator": ("iam:PassRole", "arn:aws:iam::123456789012:role/administrator", passed(), set()),
    "run as the role that promotes": ("iam:PassRole", "arn:aws:iam::123456789012:role/flight-delay-environment-production", passed(), set()),
    **{f"iam:{action}": (f"iam:{action}", "arn:aws:iam::123456789012:role/flight-delay-release", {}, set()) for action in (
        "CreateRole", "PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRolePermissionsBoundary", "CreatePolicyVersion",
        "CreateAccessKey", "CreateUser", "CreateOpenIDConnectProvider", "AddClientIDToOpenIDConnectProvider", "TagRole", "CreateServiceLinkedRole")},
    "take on another role": ("sts:AssumeRole", "arn:aws:iam::123456789012:role/flight-delay-environment-production", {}, set()),
    # targets and rules
    **{f"{action} of {environment}": (f"elasticloadbalancing:{action}", resource, tags("ResourceTag", environment), roles)
       for environment, roles in (("qa", AT_QA), ("production", AT_PRODUCTION))
       for action, resource in (("DeleteTargetGroup", GROUP), ("ModifyTargetGroup", GROUP), ("ModifyRule", RULE % environment), ("DeleteRule", RULE % environment))},
    "make a target for production": ("elasticloadbalancing:CreateTargetGroup", GROUP, tags("RequestTag", "production"), AT_PRODUCTION),
    "make a target of nobody": ("elasticloadbalancing:CreateTargetGroup", GROUP, {}, set()),
    "make a rule for production": ("elasticloadbalancing:CreateRule", LISTENER % "production", tags("RequestTag", "production"), AT_PRODUCTION),
    "make a rule at production's listener with qa's tags": ("elasticloadbalancing:CreateRule", LISTENER % "production", tags("RequestTag", "qa"), set()),
    "make a rule for another model": ("elasticloadbalancing:CreateRule", LISTENER % "production", tags("RequestTag", "production", "rain"), set()),
    "change another model's rule": ("elasticloadbalancing:ModifyRule", RULE % "production", tags("ResourceTag", "production", "rain"), set()),
    "change a rule of nobody": ("elasticloadbalancing:ModifyRule", RULE % "production", {}, set()),
    "make another's target one's own": ("elasticloadbalancing:AddTags", GROUP, tags("RequestTag", "production") | tags("ResourceTag", "production", "rain"), set()),
    "tag a target at its making": ("elasticloadbalancing:AddTags", GROUP, tags("RequestTag", "qa") | {"elasticloadbalancing:CreateAction": "CreateTargetGroup"}, DEPLOYERS),
    **{f"elasticloadbalancing:{action}": (f"elasticloadbalancing:{action}", resource, tags("ResourceTag", "production"), set())
       for action, resource in (("DeleteListener", LISTENER % "production"), ("ModifyListener", LISTENER % "production"), ("RemoveTags", GROUP),
                                ("DeleteLoadBalancer", f"{ELB}:loadbalancer/app/acme-production-1a2b3c/50dc6c495c0c9188"))},
    # what was predicted
    "keep what production predicts": ("logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/mlops-ci/acme_production/flight-delay", {}, AT_PRODUCTION),
    "read what production predicted": ("logs:FilterLogEvents", f"arn:aws:logs:{HERE}:log-group:/mlops-ci/acme_production/flight-delay:log-stream:x", {}, AT_PRODUCTION | {RELEASE}),
    "read what another model predicted": ("logs:FilterLogEvents", f"arn:aws:logs:{HERE}:log-group:/mlops-ci/acme_production/rain:log-stream:x", {}, set()),
    **{f"logs:{action}": (f"logs:{action}", f"arn:aws:logs:{HERE}:log-group:/mlops-ci/acme_production/flight-delay", {}, set()) for action in (
        "DeleteLogGroup", "DeleteLogStream", "PutLogEvents", "DisassociateKmsKey", "PutSubscriptionFilter")},
    "watch production": ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{HERE}:alarm:acme_production_flight-delay_errors", {}, AT_PRODUCTION),
    "silence another model's alarm": ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:acme_production_rain_errors", {}, set()),
    "change the number of tasks": ("application-autoscaling:RegisterScalableTarget", SCALED, {"application-autoscaling:service-namespace": "ecs"}, DEPLOYERS),
    "change the size of a table": ("application-autoscaling:RegisterScalableTarget", SCALED, {"application-autoscaling:service-namespace": "dynamodb"}, set()),
    "count requests": ("cloudwatch:GetMetricData", "*", {}, DEPLOYERS),
    "read the environment's settings": ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/mlops-ci/acme/production", {}, AT_PRODUCTION),
    "read other settings": ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/database/password", {}, set()),
    "read a secret": ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:x", {}, set()),
    "open the network": ("ec2:AuthorizeSecurityGroupIngress", "*", {}, set()),
    "start a machine": ("ec2:RunInstances", "*", {}, set()),
}  # fmt: skip
