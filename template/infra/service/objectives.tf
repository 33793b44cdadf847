# Alarms on how fast the error budget burns, from the objectives of the code: infra/objectives.json is src/app/objectives.py,
# which says how fast is too fast. A long window says that it matters, a short one that it goes on: both must hold.

locals {
  objectives = { for each in var.objectives : replace(lower(each.name), "/[^a-z0-9]+/", "-") => each }
  tier       = { page = "page", ticket = "warn" }

  # Where requests are counted. Those of all routes the load balancer knows, and those that never reached a replica besides
  # (lost); those of one route only the log.
  request_metrics = {
    requests = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = local.load_balancer }
    failures = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = local.load_balancer }
    lost     = { namespace = "AWS/ApplicationELB", name = "HTTPCode_ELB_5XX_Count", stat = "Sum", dimensions = local.load_balancer }
  }

  # objective → the share of bad requests
  indicators = merge(
    {
      for key, each in local.objectives : key => {
        bad     = "IF(FILL(requests, 0) + FILL(lost, 0) > 0, (FILL(failures, 0) + FILL(lost, 0)) / (FILL(requests, 0) + FILL(lost, 0)), 0)"
        metrics = local.request_metrics
      } if each.kind == "availability" && each.route == null
    },
    {
      # Percentile rank: how many percent were as fast.
      for key, each in local.objectives : key => {
        bad = "IF(FILL(requests, 0) > 0, 1 - fast / 100, 0)"
        metrics = {
          requests = local.request_metrics.requests
          fast     = merge(local.request_metrics.requests, { name = "TargetResponseTime", stat = "PR(:${each.seconds})" })
        }
      } if each.kind == "latency" && each.route == null
    },
    {
      for key, each in local.objectives : key => {
        bad = "IF(FILL(requests, 0) > 0, FILL(failures, 0) / requests, 0)"
        metrics = {
          requests = { namespace = local.metrics, name = "${key}-requests", stat = "Sum", dimensions = {} }
          failures = { namespace = local.metrics, name = "${key}-failures", stat = "Sum", dimensions = {} }
        }
      } if each.route != null
    },
  )

  burns = merge([
    for key, each in local.objectives : {
      for alarm in each.alarms : "${key}-${alarm.long_window_minutes}m" => merge(alarm, { objective = key })
    }
  ]...)

  burn_windows = merge([
    for key, burn in local.burns : {
      for minutes in [burn.long_window_minutes, burn.short_window_minutes] :
      "${key}-${minutes}m" => merge(burn, { minutes = minutes })
    }
  ]...)
}

resource "aws_cloudwatch_log_metric_filter" "objective" {
  for_each = merge([
    for key, each in local.objectives : {
      "${key}-requests" = "{ $.event = \"request\" && $.route = \"${each.route}\" }"
      "${key}-failures" = join(" && ", [
        "{ $.event = \"request\"", "$.route = \"${each.route}\"",
        each.kind == "latency" ? "$.duration_ms > ${1000 * each.seconds} }" : "$.status >= 500 }",
      ])
    } if each.route != null
  ]...)
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.main["api"].name
  pattern        = each.value

  metric_transformation {
    namespace = local.metrics
    name      = each.key
    value     = "1"
  }
}

# One half of a condition: it tells nobody by itself.
resource "aws_cloudwatch_metric_alarm" "burn" {
  #checkov:skip=CKV_AWS_319: the composite alarm below has the actions
  for_each            = local.burn_windows
  alarm_name          = "${local.name}-burn-${each.key}"
  alarm_description   = "Part of ${local.name}-objective-${each.value.objective}: bad requests in ${each.value.minutes} minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.error_rate
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  actions_enabled     = false
  tags                = { tier = local.tier[each.value.severity] }

  metric_query {
    id          = "bad"
    expression  = local.indicators[each.value.objective].bad
    label       = "share of bad requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.indicators[each.value.objective].metrics
    content {
      id = metric_query.key
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = 60 * each.value.minutes
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "objective" {
  for_each          = local.burns
  alarm_name        = "${local.name}-objective-${each.key}"
  alarm_description = "The error budget of ${each.value.objective} burns ${each.value.burn_rate} times as fast as it may. ${local.runbook}objective-${each.value.objective}"
  alarm_rule = join(" AND ", [
    for minutes in [each.value.long_window_minutes, each.value.short_window_minutes] :
    "ALARM(\"${aws_cloudwatch_metric_alarm.burn["${each.key}-${minutes}m"].alarm_name}\")"
  ])
  alarm_actions = [aws_sns_topic.main[local.tier[each.value.severity]].arn]
  ok_actions    = [aws_sns_topic.main[local.tier[each.value.severity]].arn]
  tags          = { tier = local.tier[each.value.severity] }
}
