# The account's own settings. There is one of each in an account, so only one service's bootstrap may keep them.

locals {
  singleton = var.owns_account ? 1 : 0
  evidence  = var.owns_account && local.regulated ? 1 : 0 # from level regulated
}

resource "aws_s3_account_public_access_block" "main" {
  count                   = local.singleton
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_ebs_encryption_by_default" "main" {
  count   = local.singleton
  enabled = true
}

resource "aws_iam_account_password_policy" "main" {
  count                          = local.singleton
  minimum_password_length        = 16
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  password_reuse_prevention      = 24
  max_password_age               = 90
  allow_users_to_change_password = true
}

resource "aws_guardduty_detector" "main" {
  #checkov:skip=CKV2_AWS_3: an organisation enables it for its accounts elsewhere; here it is this account's
  count                        = local.evidence
  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

resource "aws_cloudtrail" "main" {
  #checkov:skip=CKV_AWS_252: GuardDuty reads it and tells; nobody reads a message for each file
  #checkov:skip=CKV2_AWS_10: it is searched where it lies, with Athena
  count                         = local.evidence
  name                          = local.name
  s3_bucket_name                = aws_s3_bucket.trail[0].id
  kms_key_id                    = aws_kms_key.main.arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true

  depends_on = [aws_s3_bucket_policy.trail]
}

resource "aws_s3_bucket" "trail" {
  #checkov:skip=CKV_AWS_18: it is the log
  #checkov:skip=CKV_AWS_144: one region of a log that is validated and locked is enough
  #checkov:skip=CKV2_AWS_62: nobody waits for it
  count               = local.evidence
  bucket              = "${local.name}-trail-${local.account}"
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "trail" {
  count  = local.evidence
  bucket = aws_s3_bucket.trail[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "trail" {
  count  = local.evidence
  bucket = aws_s3_bucket.trail[0].id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = 400
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trail" {
  count  = local.evidence
  bucket = aws_s3_bucket.trail[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.main.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count                   = local.evidence
  bucket                  = aws_s3_bucket.trail[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count  = local.evidence
  bucket = aws_s3_bucket.trail[0].id

  rule {
    id     = "expire"
    status = "Enabled"
    filter {}

    expiration {
      days = 800
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "trail" {
  count  = local.evidence
  bucket = aws_s3_bucket.trail[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Ask"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = aws_s3_bucket.trail[0].arn
        Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudtrail:${local.identity.region}:${local.account}:trail/${local.name}" } }
      },
      {
        Sid       = "Write"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.trail[0].arn}/AWSLogs/${local.account}/*"
        Condition = {
          StringEquals = {
            "aws:SourceArn" = "arn:aws:cloudtrail:${local.identity.region}:${local.account}:trail/${local.name}"
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          }
        }
      },
      {
        Sid       = "EncryptedOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.trail[0].arn, "${aws_s3_bucket.trail[0].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.trail]
}
