# Secrets are in Secrets Manager alone: Terraform sends those of the database without keeping them (write-only arguments),
# and never sees the others. Containers get them when they start, by their execution role.

locals {
  # AWS's authorities come with the image (Dockerfile); verify-full compares the name as well.
  database_parameters = "sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem"
  database_address    = "${aws_db_instance.main.address}:5432/app?${local.database_parameters}"
  secret_prefix       = "${var.identity.name}/${var.environment}"
}

resource "aws_secretsmanager_secret" "database" {
  #checkov:skip=CKV2_AWS_57: rotated by raising password_version: the service has to be rolled then, which a timer cannot
  for_each                = toset(["app", "migrator"])
  name                    = "${local.secret_prefix}/database/${each.key}"
  description             = "How the role ${each.key} reaches the database"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "database" {
  for_each  = aws_secretsmanager_secret.database
  secret_id = each.value.id
  secret_string_wo = jsonencode({
    password = var.passwords[each.key]
    url      = "postgresql://${each.key}:${var.passwords[each.key]}@${local.database_address}"
  })
  secret_string_wo_version = var.password_version
}

# The owner's: their values are put in by hand (infra/README.md).
resource "aws_secretsmanager_secret" "settings" {
  #checkov:skip=CKV2_AWS_57: what they open, and how that is rotated, the owner of the service knows
  for_each                = var.secret_settings
  name                    = "${local.secret_prefix}/${lower(each.key)}"
  description             = "The setting ${each.key}"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 30
}

# What the probe shows when it is asked who it is.
resource "aws_secretsmanager_secret" "probe" {
  #checkov:skip=CKV2_AWS_57: issued by whoever issues the service's credentials, and put in by hand
  name                    = "${local.secret_prefix}/probe"
  description             = "The probe's credentials"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 30
}
