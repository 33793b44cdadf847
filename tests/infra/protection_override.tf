# Laid over a copy of the module for the time of a test, which destroys what it made.

resource "aws_db_instance" "main" {
  deletion_protection = false
  skip_final_snapshot = true

  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_lb" "main" {
  enable_deletion_protection = false
}

resource "aws_s3_bucket" "uploads" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_kms_key" "main" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_kms_key" "elsewhere" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_backup_vault" "main" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_backup_vault" "elsewhere" {
  lifecycle {
    prevent_destroy = false
  }
}
