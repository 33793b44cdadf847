# A user from outside: every minute, over the internet, from another region. It does what a user does and not only a ping,
# and everything of it is over there: a region that is down cannot hide it.

locals {
  # Until the first deploy brings ops/probe.py, the probe says so and fails. This is a zip with one file, probe.py:
  # it raises RuntimeError("no release yet").
  no_probe = "UEsDBBQAAAAAAAAAIVyy9REeOgAAADoAAAAIAAAAcHJvYmUucHlkZWYgaGFuZGxlcigqXyk6CiAgICByYWlzZSBSdW50aW1lRXJyb3IoIm5vIHJlbGVhc2UgeWV0IikKUEsBAhQDFAAAAAAAAAAhXLL1ER46AAAAOgAAAAgAAAAAAAAAAAAAAKQBAAAAAHByb2JlLnB5UEsFBgAAAAABAAEANgAAAGAAAAAAAA=="
}

resource "aws_lambda_function" "probe" {
  #checkov:skip=CKV_AWS_117: it is a user, and users are outside of the VPC
  #checkov:skip=CKV_AWS_116: a walk that failed is not walked again: the next minute brings another
  #checkov:skip=CKV_AWS_272: its code comes with the release, from the same commit as the image
  #checkov:skip=CKV_AWS_50: its own log says all there is
  provider                       = aws.elsewhere
  function_name                  = "${local.name}-probe"
  description                    = "Walks through https://${var.host} as a user does"
  role                           = aws_iam_role.probe.arn
  runtime                        = "python3.13"
  handler                        = "probe.handler"
  s3_bucket                      = aws_s3_bucket.probe.id
  s3_key                         = aws_s3_object.no_probe.key
  timeout                        = 30
  memory_size                    = 256
  reserved_concurrent_executions = 1
  kms_key_arn                    = aws_kms_key.elsewhere.arn

  environment {
    variables = {
      PROBE_URL    = "https://${var.host}"
      PROBE_PATH   = var.probe_path
      PROBE_SECRET = aws_secretsmanager_secret.probe.arn
    }
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.probe.name
    log_format = "JSON"
  }

  lifecycle {
    ignore_changes = [s3_bucket, s3_key] # the deploy's
  }
}

resource "aws_s3_bucket" "probe" {
  #checkov:skip=CKV_AWS_18: one object that Terraform wrote and that nobody reads again
  #checkov:skip=CKV_AWS_144: the same
  #checkov:skip=CKV_AWS_21: the same
  #checkov:skip=CKV2_AWS_61: the same
  #checkov:skip=CKV2_AWS_62: the same
  provider = aws.elsewhere
  bucket   = "${local.name}-probe-${local.account}"
}

resource "aws_s3_bucket_public_access_block" "probe" {
  provider                = aws.elsewhere
  bucket                  = aws_s3_bucket.probe.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "probe" {
  provider = aws.elsewhere
  bucket   = aws_s3_bucket.probe.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.elsewhere.arn
    }
  }
}

resource "aws_s3_object" "no_probe" {
  provider       = aws.elsewhere
  bucket         = aws_s3_bucket.probe.id
  key            = "none.zip"
  content_base64 = local.no_probe
  kms_key_id     = aws_kms_key.elsewhere.arn
}

resource "aws_cloudwatch_log_group" "probe" {
  #checkov:skip=CKV_AWS_338: a year is for level regulated, which keeps them for 400 days
  provider          = aws.elsewhere
  name              = "/${var.identity.name}/${var.environment}/probe"
  retention_in_days = local.log_days
  kms_key_id        = aws_kms_key.elsewhere.arn
}

resource "aws_cloudwatch_event_rule" "probe" {
  provider            = aws.elsewhere
  name                = "${local.name}-probe"
  description         = "Every minute"
  schedule_expression = "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "probe" {
  provider = aws.elsewhere
  rule     = aws_cloudwatch_event_rule.probe.name
  arn      = aws_lambda_function.probe.arn
}

resource "aws_lambda_permission" "probe" {
  provider      = aws.elsewhere
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.probe.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.probe.arn
}

# A failed minute may be the internet's. Two of three are ours; a probe that is silent has failed too.
resource "aws_cloudwatch_metric_alarm" "probe" {
  provider            = aws.elsewhere
  alarm_name          = "${local.name}-probe"
  alarm_description   = "The service does not do what a user wants of it. ${local.runbook}probe"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.probe.function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.elsewhere.arn]
  ok_actions          = [aws_sns_topic.elsewhere.arn]
  tags                = { tier = "page" }
}

resource "aws_sns_topic" "elsewhere" {
  provider          = aws.elsewhere
  name              = "${local.name}-page"
  kms_master_key_id = aws_kms_key.elsewhere.id
}

resource "aws_sns_topic_policy" "elsewhere" {
  provider = aws.elsewhere
  arn      = aws_sns_topic.elsewhere.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.elsewhere.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "elsewhere" {
  provider  = aws.elsewhere
  topic_arn = aws_sns_topic.elsewhere.arn
  protocol  = "email"
  endpoint  = var.identity.on_call_email
}

resource "aws_iam_role" "probe" {
  name                 = "${local.name}-probe"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "probe" {
  name = "walk"
  role = aws_iam_role.probe.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.probe.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = aws_secretsmanager_secret.probe.arn
      },
      {
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = [aws_kms_key.main.arn, aws_kms_key.elsewhere.arn]
      },
    ]
  })
}
