# How GitHub gets in: with a token that it signs for one environment of this one repository, never with a stored key.
# infra/service adds the role that deploys; these are the ones that build images, look for drift, and change infrastructure.

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.owns_account ? 1 : 0
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  github = "arn:aws:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com"

  # role → the environment of GitHub that may assume it. Protect them there: prod wants a reviewer.
  roles = {
    build             = "build"
    plan              = "plan"
    staging-terraform = "staging-infrastructure"
    prod-terraform    = "prod-infrastructure"
  }
}

resource "aws_iam_role" "github" {
  #checkov:skip=CKV_AWS_393: it is bound to repository and environment; checkov does not read identity.json
  for_each             = local.roles
  name                 = "${local.name}-${each.key}"
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.github }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:${local.identity.repository}:environment:${each.value}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "build" {
  name = "push"
  role = aws_iam_role.github["build"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # it knows no resources
      },
      {
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = aws_ecr_repository.main.arn
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.github["plan"].name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

# A plan reads, and takes the state's lock. What is secret it does not read, although ReadOnlyAccess could.
resource "aws_iam_role_policy" "plan" {
  name = "plan"
  role = aws_iam_role.github["plan"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject"]
        Resource = "${aws_s3_bucket.state.arn}/*.tflock"
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = aws_kms_key.main.arn
      },
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetRandomPassword"
        Resource = "*" # it knows no resources
      },
      {
        Effect   = "Deny"
        Action   = ["secretsmanager:GetSecretValue", "logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartQuery"]
        Resource = "*"
      },
    ]
  })
}

# Terraform changes everything of its environment but cannot make itself, or anybody, more powerful: roles are its own by
# name, and only within the boundary. And it destroys no data: that takes a person with other credentials (infra/README.md).
resource "aws_iam_role_policy_attachment" "terraform" {
  for_each   = toset(["staging", "prod"])
  role       = aws_iam_role.github["${each.key}-terraform"].name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

resource "aws_iam_role_policy" "terraform" {
  for_each = toset(["staging", "prod"])
  name     = "roles"
  role     = aws_iam_role.github["${each.key}-terraform"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RolesWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary"]
        Resource  = "arn:aws:iam::${local.account}:role/${local.name}-${each.key}-*"
        Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      },
      {
        Sid      = "Roles"
        Effect   = "Allow"
        Action   = ["iam:DeleteRole", "iam:GetRole*", "iam:ListRole*", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:PassRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
        Resource = "arn:aws:iam::${local.account}:role/${local.name}-${each.key}-*"
      },
      {
        Sid      = "NotItself"
        Effect   = "Deny"
        Action   = "iam:*"
        Resource = "arn:aws:iam::${local.account}:role/${local.name}-${each.key}-terraform"
      },
      {
        Sid    = "NoDataDestroyed"
        Effect = "Deny"
        Action = [
          "backup:DeleteBackupVault", "backup:DeleteBackupVaultAccessPolicy", "backup:DeleteRecoveryPoint",
          "kms:DisableKey", "kms:ScheduleKeyDeletion", "rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup",
          "rds:DeleteDBSnapshot", "ecr:DeleteRepository",
        ]
        Resource = "*"
      },
      {
        Sid    = "StateOfTheOther"
        Effect = "Deny"
        Action = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]
        NotResource = [
          "${aws_s3_bucket.state.arn}/${each.key}.tfstate", "${aws_s3_bucket.state.arn}/${each.key}.tfstate.tflock",
          "arn:aws:s3:::${local.name}-${each.key}-*",
        ]
      },
    ]
  })
}

# The most that any role of an environment can have, whatever its policies say.
resource "aws_iam_policy" "boundary" {
  #checkov:skip=CKV_AWS_289: a boundary grants nothing: it is what is left of other policies
  #checkov:skip=CKV_AWS_290: the same
  #checkov:skip=CKV_AWS_355: the same
  #checkov:skip=CKV_AWS_288: the same
  #checkov:skip=CKV_AWS_287: the same
  #checkov:skip=CKV_AWS_286: the same
  #checkov:skip=CKV_AWS_62: the same
  #checkov:skip=CKV_AWS_63: the same
  #checkov:skip=CKV2_AWS_40: the same
  name = "${local.name}-boundary"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WhatServicesDo"
        Effect = "Allow"
        Action = [
          "backup:*", "cloudwatch:*", "dynamodb:*", "ec2:*", "ecr:*", "ecs:*", "events:*", "kms:*", "lambda:*", "logs:*",
          "rds:*", "s3:*", "secretsmanager:*", "sns:*", "sqs:*", "ssm:*", "tag:*", "xray:*",
          "iam:GetRole", "iam:PassRole",
        ]
        Resource = "*"
      },
      {
        Sid      = "NotTheState"
        Effect   = "Deny"
        Action   = "s3:*"
        Resource = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      },
    ]
  })
}
