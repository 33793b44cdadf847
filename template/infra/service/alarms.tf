# Who is told of what. Three tiers, a topic each: page — somebody gets up now; alert — within minutes, by day; warn — look
# this week. Every alarm has a tier, tells its end as well, and names its entry in the runbook.

locals {
  tiers = toset(["page", "alert", "warn"])

  metrics = "${var.identity.name}/${var.environment}"

  load_balancer = { LoadBalancer = aws_lb.main.arn_suffix }
  api           = { ClusterName = aws_ecs_cluster.main.name, ServiceName = "api" }
  instance      = { DBInstanceIdentifier = aws_db_instance.main.identifier }
  gigabyte      = 1024 * 1024 * 1024

  # What most answers are promised to take at most. Where nothing is promised: half a second.
  promised_seconds = try(max([for each in var.objectives : each.seconds if each.kind == "latency" && each.route == null]...), 0.5)

  # A metric alarm each. `missing` says what silence means: for what must always report it is as bad as the worst value.
  alarms = merge(local.business_alarms, {
    api-down = {
      tier       = "page", what = "Hardly a replica answers its health check"
      namespace  = "AWS/ApplicationELB", metric = "HealthyHostCount", statistic = "Minimum"
      dimensions = merge(local.load_balancer, { TargetGroup = aws_lb_target_group.api.arn_suffix })
      below      = 1, period = 60, periods = 1, missing = "breaching"
    }
    api-unreachable = {
      tier       = "page", what = "The load balancer finds no replica to answer with"
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", statistic = "Sum"
      dimensions = local.load_balancer
      above      = 10, period = 60, periods = 2, missing = "notBreaching"
    }
    api-latency = {
      tier       = "warn", what = "The slowest twentieth of the answers takes twice what is promised"
      namespace  = "AWS/ApplicationELB", metric = "TargetResponseTime", statistic = "p95"
      dimensions = local.load_balancer
      above      = 2 * local.promised_seconds, period = 300, periods = 3, missing = "notBreaching"
    }
    api-cpu = {
      tier       = "warn", what = "The replicas have hardly any CPU left, although they should have become more"
      namespace  = "AWS/ECS", metric = "CPUUtilization", statistic = "Average"
      dimensions = local.api
      above      = 85, period = 300, periods = 3, missing = "notBreaching"
    }
    api-memory = {
      tier       = "alert", what = "The replicas are about to run out of memory"
      namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Maximum"
      dimensions = local.api
      above      = 90, period = 300, periods = 2, missing = "notBreaching"
    }
    api-at-ceiling = {
      tier       = "warn", what = "Autoscaling has reached max_replicas: more load meets no more replicas"
      namespace  = "ECS/ContainerInsights", metric = "DesiredTaskCount", statistic = "Minimum"
      dimensions = local.api
      above      = var.api.max_replicas - 1, period = 300, periods = 3, missing = "notBreaching"
    }
    exits = {
      tier       = "alert", what = "Containers end by themselves, again and again: their log says why"
      namespace  = "AWS/Events", metric = "TriggeredRules", statistic = "Sum"
      dimensions = { RuleName = aws_cloudwatch_event_rule.exits.name }
      above      = 2, period = 900, periods = 1, missing = "notBreaching"
    }
    database-cpu = {
      tier       = "warn", what = "The database is busy"
      namespace  = "AWS/RDS", metric = "CPUUtilization", statistic = "Average"
      dimensions = local.instance
      above      = 80, period = 300, periods = 3, missing = "breaching"
    }
    database-memory = {
      tier       = "alert", what = "The database has hardly any memory left"
      namespace  = "AWS/RDS", metric = "FreeableMemory", statistic = "Minimum"
      dimensions = local.instance
      below      = 0.125 * local.gigabyte, period = 300, periods = 3, missing = "breaching"
    }
    database-storage = {
      tier       = "alert", what = "A tenth of the database's storage is left, and autoscaling has not helped"
      namespace  = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum"
      dimensions = local.instance
      below      = 0.1 * var.database.storage * local.gigabyte, period = 300, periods = 2, missing = "breaching"
    }
    database-connections = {
      tier       = "alert", what = "Four fifths of the database's connections are taken"
      namespace  = "AWS/RDS", metric = "DatabaseConnections", statistic = "Maximum"
      dimensions = local.instance
      above      = 0.8 * var.database.max_connections, period = 60, periods = 5, missing = "breaching"
    }
    database-queue = {
      tier       = "warn", what = "The database waits for its storage"
      namespace  = "AWS/RDS", metric = "DiskQueueDepth", statistic = "Average"
      dimensions = local.instance
      above      = 10, period = 300, periods = 3, missing = "notBreaching"
    }
    database-transaction-ids = {
      tier       = "alert", what = "Vacuum does not keep up: at two thousand million transactions the database stops"
      namespace  = "AWS/RDS", metric = "MaximumUsedTransactionIDs", statistic = "Maximum"
      dimensions = local.instance
      above      = 1000000000, period = 300, periods = 1, missing = "notBreaching"
    }
    slow-queries = {
      tier       = "warn", what = "Queries take longer than half a second: log group of the database, and Performance Insights"
      namespace  = local.metrics, metric = "slow-queries", statistic = "Sum"
      dimensions = {}
      above      = 20, period = 300, periods = 2, missing = "notBreaching"
    }
    network-ports = {
      tier       = "alert", what = "The NAT gateway has no ports left: calls to other services fail"
      namespace  = "AWS/NATGateway", metric = "ErrorPortAllocation", statistic = "Sum"
      dimensions = { NatGatewayId = aws_nat_gateway.main[0].id }
      above      = 0, period = 300, periods = 1, missing = "notBreaching"
    }
    certificate = {
      tier       = "alert", what = "The certificate was not renewed by itself: the DNS records of its validation may be gone"
      namespace  = "AWS/CertificateManager", metric = "DaysToExpiry", statistic = "Minimum"
      dimensions = { CertificateArn = aws_acm_certificate.main.arn }
      below      = 30, period = 86400, periods = 1, missing = "notBreaching"
    }
    backup-failed = {
      tier       = "alert", what = "A backup failed"
      namespace  = "AWS/Backup", metric = "NumberOfBackupJobsFailed", statistic = "Sum"
      dimensions = { BackupVaultName = aws_backup_vault.main.name }
      above      = 0, period = 3600, periods = 1, missing = "notBreaching"
    }
    backup-missing = {
      tier       = "alert", what = "No backup was completed for a day"
      namespace  = "AWS/Backup", metric = "NumberOfBackupJobsCompleted", statistic = "Sum"
      dimensions = { BackupVaultName = aws_backup_vault.main.name }
      below      = 1, period = 86400, periods = 1, missing = "breaching"
    }
    backup-copy-failed = {
      tier       = "alert", what = "A backup did not reach the other region"
      namespace  = "AWS/Backup", metric = "NumberOfCopyJobsFailed", statistic = "Sum"
      dimensions = { BackupVaultName = aws_backup_vault.main.name }
      above      = 0, period = 3600, periods = 1, missing = "notBreaching"
    }
  })
}

resource "aws_sns_topic" "main" {
  for_each          = local.tiers
  name              = "${local.name}-${each.key}"
  kms_master_key_id = aws_kms_key.main.id
}

resource "aws_sns_topic_policy" "main" {
  for_each = local.tiers
  arn      = aws_sns_topic.main[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.main[each.key].arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# AWS asks the address once whether it wants them.
resource "aws_sns_topic_subscription" "email" {
  for_each  = local.tiers
  topic_arn = aws_sns_topic.main[each.key].arn
  protocol  = "email"
  endpoint  = var.identity.on_call_email
}

resource "aws_sns_topic_subscription" "pager" {
  count                  = nonsensitive(var.pager != "") ? 1 : 0
  topic_arn              = aws_sns_topic.main["page"].arn
  protocol               = "https"
  endpoint               = var.pager
  endpoint_auto_confirms = true
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each            = local.alarms
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.what}. ${local.runbook}${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.main[each.value.tier].arn]
  ok_actions          = [aws_sns_topic.main[each.value.tier].arn]
  tags                = { tier = each.value.tier }
}

# A share, not a number: ten failures are many at night and few at noon.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.name}-api-errors"
  alarm_description   = "More than 2 % of the answers are failures of ours. ${local.runbook}api-errors"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 2
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.main["alert"].arn]
  ok_actions          = [aws_sns_topic.main["alert"].arn]
  tags                = { tier = "alert" }

  metric_query {
    id          = "share"
    expression  = "IF(requests > 20, 100 * failures / requests, 0)"
    label       = "failures, in percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { requests = "RequestCount", failures = "HTTPCode_Target_5XX_Count" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.load_balancer
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

# Containers that end without having been told to. ECS starts others, so nothing else would show it.
resource "aws_cloudwatch_event_rule" "exits" {
  name        = "${local.name}-exits"
  description = "Containers of ${local.name} that ended by themselves"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.main.arn]
      lastStatus = ["STOPPED"]
      group      = [{ prefix = "service:" }]
      stopCode   = ["EssentialContainerExited"]
    }
  })
}

resource "aws_cloudwatch_event_target" "exits" {
  rule = aws_cloudwatch_event_rule.exits.name
  arn  = aws_cloudwatch_log_group.main["exits"].arn
}

resource "aws_cloudwatch_log_resource_policy" "exits" {
  policy_name = "${local.name}-exits"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${aws_cloudwatch_log_group.main["exits"].arn}:*"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_cloudwatch_log_metric_filter" "slow_queries" {
  name           = "slow-queries"
  log_group_name = aws_cloudwatch_log_group.database.name
  pattern        = "\"duration:\""

  metric_transformation {
    namespace = local.metrics
    name      = "slow-queries"
    value     = "1"
  }
}
