# The worker: jobs and schedules. It has no address; its log says how it is.

variable "worker" {
  description = "CPU units and MiB of a worker, and how many there are"
  type        = object({ cpu = number, memory = number, replicas = number })
}

locals {
  worker = { ClusterName = aws_ecs_cluster.main.name, ServiceName = "worker" }

  # Numbers of the log event "jobs measured", every five minutes: name of the metric → field, and when it is too much.
  job_metrics = {
    jobs-age    = { field = "age_seconds", above = 300, what = "A job has been waiting for more than five minutes" }
    jobs-dead   = { field = "dead", above = 0, what = "Jobs have failed for good, and wait for somebody" }
    jobs-missed = { field = "missed", above = 0, what = "A scheduled task did not run when it should have" }
  }
}

resource "aws_ecs_service" "worker" {
  name                               = "worker"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.main["worker"].arn
  desired_count                      = 0 # the first deploy raises it
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  availability_zone_rebalancing      = "ENABLED" # after a zone was lost and is back
  propagate_tags                     = "SERVICE"

  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = false
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_cloudwatch_log_metric_filter" "jobs" {
  for_each       = local.job_metrics
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.main["worker"].name
  pattern        = "{ $.event = \"jobs measured\" }"

  metric_transformation {
    namespace = local.metrics
    name      = each.key
    value     = "$.${each.value.field}"
  }
}

# Silence is the worst: a worker that does not say how the jobs are does none.
resource "aws_cloudwatch_metric_alarm" "jobs" {
  for_each            = local.job_metrics
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.what}. ${local.runbook}${each.key}"
  namespace           = local.metrics
  metric_name         = each.key
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 600 # of two lines at least one
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.main["alert"].arn]
  ok_actions          = [aws_sns_topic.main["alert"].arn]
  tags                = { tier = "alert" }
}
