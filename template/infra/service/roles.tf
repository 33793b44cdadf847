# Who may do what. Each kind of task has its own role, and what AWS does to start it another: the code never holds the
# permission to read secrets, it only finds them in its environment.

locals {
  boundary = "arn:aws:iam::${local.account}:policy/${var.identity.name}-boundary" # infra/bootstrap

  tasks_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:${local.region}:${local.account}:*" }
      }
    }]
  })

  # who starts → which secrets they may read
  execution = {
    app = concat([aws_secretsmanager_secret.database["app"].arn], values(aws_secretsmanager_secret.settings)[*].arn)
    migrator = concat(
      [aws_secretsmanager_secret.database["migrator"].arn], values(aws_secretsmanager_secret.settings)[*].arn
    )
    administrator = concat(
      values(aws_secretsmanager_secret.database)[*].arn, aws_db_instance.main.master_user_secret[*].secret_arn
    )
  }
}

# The running code. It may call nothing of AWS but what a policy beside this one says; for what yours calls, add one in extra.tf.
resource "aws_iam_role" "app" {
  name                 = "${local.name}-app"
  assume_role_policy   = local.tasks_trust
  permissions_boundary = local.boundary
}

resource "aws_iam_role" "migrator" {
  name                 = "${local.name}-migrator"
  assume_role_policy   = local.tasks_trust
  permissions_boundary = local.boundary
}

resource "aws_iam_role" "execution" {
  for_each             = local.execution
  name                 = "${local.name}-${each.key}-execution"
  assume_role_policy   = local.tasks_trust
  permissions_boundary = local.boundary
}

resource "aws_iam_role_policy" "execution" {
  for_each = local.execution
  name     = "start"
  role     = aws_iam_role.execution[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Login"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # it knows no resources
      },
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = "arn:aws:ecr:${local.region}:${local.account}:repository/${var.identity.name}"
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for each in aws_cloudwatch_log_group.main : "${each.arn}:*"]
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = each.value
      },
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = aws_kms_key.main.arn
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
      },
    ]
  })
}

# What GitHub's environment of the same name may do: release what was built, and look. It cannot change the infrastructure.
resource "aws_iam_role" "deployer" {
  #checkov:skip=CKV_AWS_393: it is bound to repository and environment; checkov does not read identity.json
  name                 = "${local.name}-deployer"
  permissions_boundary = local.boundary
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:${var.identity.repository}:environment:${var.environment}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "deployer" {
  #checkov:skip=CKV_AWS_290: what writes on "*" is RegisterTaskDefinition, which knows no resources
  #checkov:skip=CKV_AWS_355: the same, and reading alarms, which knows none either
  name = "deploy"
  role = aws_iam_role.deployer.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = [
          "cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition",
        ]
        Resource = "*"
      },
      {
        Sid    = "Roll"
        Effect = "Allow"
        Action = ["ecs:DescribeServices", "ecs:UpdateService", "ecs:DescribeTasks", "ecs:ListTasks", "ecs:StopTask", "ecs:TagResource"]
        Resource = [
          "arn:aws:ecs:${local.region}:${local.account}:service/${local.name}/*",
          "arn:aws:ecs:${local.region}:${local.account}:task/${local.name}/*",
          "arn:aws:ecs:${local.region}:${local.account}:task-definition/${local.name}-*:*",
        ]
      },
      {
        Sid       = "ListTasks"
        Effect    = "Allow"
        Action    = "ecs:ListTasks"
        Resource  = "*"
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.main.arn } }
      },
      {
        Sid       = "RunOnce"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "arn:aws:ecs:${local.region}:${local.account}:task-definition/${local.name}-*:*"
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.main.arn } }
      },
      {
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = concat([aws_iam_role.app.arn, aws_iam_role.migrator.arn], values(aws_iam_role.execution)[*].arn)
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:DescribeImages"]
        Resource = "arn:aws:ecr:${local.region}:${local.account}:repository/${var.identity.name}"
      },
      {
        Sid      = "Operations"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParametersByPath", "ssm:PutParameter", "ssm:DeleteParameter"]
        Resource = "arn:aws:ssm:${local.region}:${local.account}:parameter/${var.identity.name}/${var.environment}*"
      },
      {
        # An image that does not serve there goes no further.
        Sid      = "StagingFirst"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParametersByPath"]
        Resource = "arn:aws:ssm:${local.region}:${local.account}:parameter/${var.identity.name}/staging/deploys*"
      },
      {
        # Terraform alone says what the environment is.
        Sid      = "NotTheContract"
        Effect   = "Deny"
        Action   = ["ssm:PutParameter", "ssm:DeleteParameter"]
        Resource = "arn:aws:ssm:${local.region}:${local.account}:parameter/${var.identity.name}/${var.environment}/operations"
      },
      {
        Sid      = "Probe"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = aws_secretsmanager_secret.probe.arn
      },
      {
        Sid      = "ProbeCode"
        Effect   = "Allow"
        Action   = ["lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:UpdateFunctionCode"]
        Resource = aws_lambda_function.probe.arn
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [aws_kms_key.main.arn, aws_kms_key.elsewhere.arn]
      },
      {
        Sid      = "WhoListens"
        Effect   = "Allow"
        Action   = "sns:ListSubscriptionsByTopic"
        Resource = concat(values(aws_sns_topic.main)[*].arn, [aws_sns_topic.elsewhere.arn])
      },
      {
        # `ops` fires one alarm of each tier, made for it, to see that somebody hears it.
        Sid      = "AlarmDrill"
        Effect   = "Allow"
        Action   = ["cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState", "cloudwatch:DeleteAlarms"]
        Resource = "arn:aws:cloudwatch:${local.region}:${local.account}:alarm:${local.name}-drill-*"
      },
    ]
  })
}

# What GitHub's environment PLACE-drill may do, on a schedule: copy the database beside it, look, and remove the copy.
resource "aws_iam_role" "driller" {
  #checkov:skip=CKV_AWS_393: it is bound to repository and environment; checkov does not read identity.json
  name                 = "${local.name}-driller"
  permissions_boundary = local.boundary
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:${var.identity.repository}:environment:${var.environment}-drill"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "driller" {
  #checkov:skip=CKV_AWS_290: what writes on "*" is RegisterTaskDefinition, which knows no resources
  #checkov:skip=CKV_AWS_355: the same, and what reads
  name = "drill"
  role = aws_iam_role.driller.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = [
          "ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "rds:DescribeDBInstances",
          "rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBSnapshots", "rds:ListTagsForResource",
        ]
        Resource = "*"
      },
      {
        Sid    = "LookAtTasks"
        Effect = "Allow"
        Action = ["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:TagResource"]
        Resource = [
          "arn:aws:ecs:${local.region}:${local.account}:service/${local.name}/*",
          "arn:aws:ecs:${local.region}:${local.account}:task/${local.name}/*",
          "arn:aws:ecs:${local.region}:${local.account}:task-definition/${local.name}-migrate:*",
        ]
      },
      {
        # The check of the data runs where the database can be reached: in a task of the migrator's.
        Sid       = "RunOnce"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "arn:aws:ecs:${local.region}:${local.account}:task-definition/${local.name}-migrate:*"
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.main.arn } }
      },
      {
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = [aws_iam_role.migrator.arn, aws_iam_role.execution["migrator"].arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "Contract"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:aws:ssm:${local.region}:${local.account}:parameter/${var.identity.name}/${var.environment}/operations"
      },
      {
        Sid      = "Journal"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParametersByPath", "ssm:PutParameter", "ssm:DeleteParameter"]
        Resource = "arn:aws:ssm:${local.region}:${local.account}:parameter/${var.identity.name}/${var.environment}/drills*"
      },
      {
        Sid      = "ReadLogs"
        Effect   = "Allow"
        Action   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
        Resource = "${aws_cloudwatch_log_group.main["tasks"].arn}:*"
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = aws_kms_key.main.arn
      },
      {
        # A copy of an encrypted instance is encrypted with the same key: RDS asks for it in the caller's name.
        Sid       = "RestoreDrillKey"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant", "kms:DescribeKey"]
        Resource  = aws_kms_key.main.arn
        Condition = { StringEquals = { "kms:ViaService" = "rds.${local.region}.amazonaws.com" } }
      },
      {
        # The restore drill makes a throw-away instance from this one's backups, and removes it. No other.
        Sid    = "RestoreDrill"
        Effect = "Allow"
        Action = [
          "rds:AddTagsToResource", "rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot",
          "rds:RestoreDBInstanceToPointInTime",
        ]
        Resource = "arn:aws:rds:${local.region}:${local.account}:db:${local.name}-drill-*"
      },
      {
        Sid    = "RestoreDrillFrom"
        Effect = "Allow"
        Action = ["rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime"]
        Resource = [
          aws_db_instance.main.arn,
          "arn:aws:rds:${local.region}:${local.account}:auto-backup:*",
          "arn:aws:rds:${local.region}:${local.account}:og:*",
          "arn:aws:rds:${local.region}:${local.account}:pg:${local.name}-*",
          "arn:aws:rds:${local.region}:${local.account}:snapshot:*",
          "arn:aws:rds:${local.region}:${local.account}:subgrp:${local.name}",
        ]
      },
    ]
  })
}

resource "aws_iam_role" "flow_log" {
  name                 = "${local.name}-flow-log"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "flow_log" {
  name = "write"
  role = aws_iam_role.flow_log.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.network.arn}:*"
    }]
  })
}

resource "aws_iam_role" "database_monitoring" {
  name                 = "${local.name}-database-monitoring"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  role       = aws_iam_role.database_monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
