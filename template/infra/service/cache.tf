# Valkey, for all replicas together. It may be lost: the service goes on, on the database alone.

variable "cache" {
  description = "node type; nodes: with two, the loss of one is not noticed"
  type        = object({ class = string, nodes = number })
}

locals {
  valkey_url = "valkeys://${aws_elasticache_replication_group.cache.primary_endpoint_address}:6379/0"
}

resource "aws_elasticache_subnet_group" "cache" {
  name       = local.name
  subnet_ids = aws_subnet.database[*].id
}

resource "aws_elasticache_parameter_group" "cache" {
  name   = local.name
  family = "valkey8"

  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

resource "aws_elasticache_replication_group" "cache" {
  #checkov:skip=CKV_AWS_31: a password would stand in Terraform's state; the tasks' security group alone gets there, by TLS
  #checkov:skip=CKV2_AWS_50: one node is enough for staging, and a lost cache fills itself again
  replication_group_id       = local.name
  description                = "Cache and rate limits of ${local.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.cache.class
  num_cache_clusters         = var.cache.nodes
  automatic_failover_enabled = var.cache.nodes > 1
  multi_az_enabled           = var.cache.nodes > 1
  port                       = 6379
  parameter_group_name       = aws_elasticache_parameter_group.cache.name
  subnet_group_name          = aws_elasticache_subnet_group.cache.name
  security_group_ids         = [aws_security_group.cache.id]
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.main.arn
  transit_encryption_enabled = true
  maintenance_window         = "tue:04:00-tue:05:00"
}

resource "aws_security_group" "cache" {
  name        = "${local.name}-cache"
  description = "Valkey, for the tasks only"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "cache_from_tasks" {
  security_group_id            = aws_security_group.cache.id
  description                  = "The tasks"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_cache" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "Valkey"
  referenced_security_group_id = aws_security_group.cache.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_cloudwatch_metric_alarm" "cache" {
  alarm_name          = "${local.name}-cache"
  alarm_description   = "The cache throws out what is still wanted. ${local.runbook}cache"
  namespace           = "AWS/ElastiCache"
  metric_name         = "DatabaseMemoryUsagePercentage"
  dimensions          = { CacheClusterId = "${local.name}-001" }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 95
  period              = 300
  evaluation_periods  = 6
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.main["warn"].arn]
  ok_actions          = [aws_sns_topic.main["warn"].arn]
  tags                = { tier = "warn" }
}
