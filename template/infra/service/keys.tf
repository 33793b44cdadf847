# One key an environment, ours at every level: without it nothing of this environment can be read, and who used it is known.

locals {
  # The account's own policies decide who may use it; these services use it for what belongs to this account only.
  key_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:*:${local.account}:*" } }
      },
      {
        # Without it an alarm cannot publish to an encrypted topic, and nobody would ever know.
        Sid       = "Notifications"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  }
}

resource "aws_kms_key" "main" {
  description             = "${local.name}: everything at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)

  lifecycle {
    prevent_destroy = true # data and backups cannot be read without it
  }
}

resource "aws_kms_alias" "main" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.main.key_id
}

resource "aws_kms_key" "elsewhere" {
  provider                = aws.elsewhere
  description             = "${local.name}: copies of backups, and what watches from another region"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "elsewhere" {
  provider      = aws.elsewhere
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.elsewhere.key_id
}
