# PostgreSQL. Its data survive an instance, a zone, and a mistake of the last days; backups.tf is for the rest.

resource "aws_db_subnet_group" "main" {
  name       = local.name
  subnet_ids = aws_subnet.database[*].id
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${local.name}-"
  family      = "postgres18"

  dynamic "parameter" {
    for_each = {
      max_connections            = tostring(var.database.max_connections)
      "rds.force_ssl"            = "1"
      password_encryption        = "scram-sha-256" # kingfisher:ignore (how passwords are kept, not one of them)
      log_min_duration_statement = "500"           # milliseconds: what is slower is in the log, and counted in alarms.tf
      log_lock_waits             = "1"
      # Nothing of what people send: parameters of slow and failed statements are left out.
      log_parameter_max_length          = "0"
      log_parameter_max_length_on_error = "0"
    }
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV2_AWS_69: rds.force_ssl is above, in a dynamic block that checkov does not unfold
  #checkov:skip=CKV_AWS_157: staging has no standby; prod must (infra/prod, and the test of parity)
  #checkov:skip=CKV_AWS_161: the service logs in with a password that it gets from Secrets Manager, not with tokens of IAM
  identifier     = local.name
  engine         = "postgres"
  engine_version = "18"
  instance_class = var.database.class
  multi_az       = var.database.multi_az

  allocated_storage     = var.database.storage
  max_allocated_storage = var.database.max_storage
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.main.arn

  db_name                       = "app"
  username                      = "administrator"
  manage_master_user_password   = true # made, kept and rotated by AWS: never in the state
  master_user_secret_kms_key_id = aws_kms_key.main.key_id

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.main.name
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period = var.database.backup_days
  backup_window           = "02:00-02:30"
  copy_tags_to_snapshot   = true

  maintenance_window          = "tue:03:00-tue:04:00"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false

  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  performance_insights_kms_key_id       = aws_kms_key.main.arn
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.database_monitoring.arn
  enabled_cloudwatch_logs_exports       = ["postgresql"]

  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.name}-final"
  delete_automated_backups  = false

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    prevent_destroy = true # deletion_protection alone lets Terraform destroy all the rest first

    precondition {
      condition     = local.connections + 10 <= var.database.max_connections
      error_message = "data.pool: ${local.connections} connections and 10 in reserve are more than the database's ${var.database.max_connections}."
    }
  }
}
