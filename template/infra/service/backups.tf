# What point-in-time recovery does not survive: the loss of the region, or somebody who deletes the instance. A copy a day,
# and another in a second region, in vaults that nothing of the service can delete from. Restored each week, to be sure.

locals {
  # Nobody deletes a recovery point or shortens its life, whatever their own policies say. At level regulated the vault is
  # locked besides: after three days not even AWS can open it.
  vault_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "NobodyDeletes"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "backup:DisassociateRecoveryPoint"]
      Resource  = "*"
    }]
  }
}

resource "aws_backup_vault" "main" {
  name        = local.name
  kms_key_arn = aws_kms_key.main.arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_backup_vault" "elsewhere" {
  provider    = aws.elsewhere
  name        = local.name
  kms_key_arn = aws_kms_key.elsewhere.arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_backup_vault_policy" "main" {
  backup_vault_name = aws_backup_vault.main.name
  policy            = jsonencode(local.vault_policy)
}

resource "aws_backup_vault_policy" "elsewhere" {
  provider          = aws.elsewhere
  backup_vault_name = aws_backup_vault.elsewhere.name
  policy            = jsonencode(local.vault_policy)
}

resource "aws_backup_vault_lock_configuration" "elsewhere" {
  provider            = aws.elsewhere
  count               = local.regulated ? 1 : 0
  backup_vault_name   = aws_backup_vault.elsewhere.name
  min_retention_days  = 7
  max_retention_days  = local.recovery_days
  changeable_for_days = 3
}

resource "aws_backup_plan" "main" {
  name = local.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.main.name
    schedule          = "cron(0 3 * * ? *)"
    start_window      = 60
    completion_window = 360

    lifecycle {
      delete_after = 35
    }

    copy_action {
      destination_vault_arn = aws_backup_vault.elsewhere.arn

      lifecycle {
        delete_after = local.recovery_days
      }
    }
  }
}

resource "aws_backup_selection" "main" {
  name         = local.name
  plan_id      = aws_backup_plan.main.id
  iam_role_arn = aws_iam_role.backup.arn
  resources    = [aws_db_instance.main.arn]
}

# AWS restores the newest recovery point each week and removes it again. Whether the data in it are right, and whether it is
# fast enough, the drill of `ops` says.
resource "aws_backup_restore_testing_plan" "main" {
  name                         = replace(local.name, "-", "_")
  schedule_expression          = "cron(0 5 ? * SUN *)"
  schedule_expression_timezone = "UTC"
  start_window_hours           = 4

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.main.arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

resource "aws_backup_restore_testing_selection" "database" {
  name                      = "database"
  restore_testing_plan_name = aws_backup_restore_testing_plan.main.name
  protected_resource_type   = "RDS"
  protected_resource_arns   = [aws_db_instance.main.arn]
  iam_role_arn              = aws_iam_role.backup.arn
  validation_window_hours   = 1

  restore_metadata_overrides = {
    dbSubnetGroupName   = aws_db_subnet_group.main.name
    multiAz             = "false"
    publiclyAccessible  = "false"
    vpcSecurityGroupIds = jsonencode([aws_security_group.database.id])
  }
}

resource "aws_iam_role" "backup" {
  name                 = "${local.name}-backup"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each   = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])
  role       = aws_iam_role.backup.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.key}"
}
