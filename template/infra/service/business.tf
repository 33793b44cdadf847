# What users do must not stop. The code logs each event; here they are counted, and missed.

locals {
  business_alarms = {
    for key, each in var.business : "business-${key}" => {
      tier       = "alert", what = "Fewer than ${each.at_least} × “${each.event}” in ${each.hours} hours"
      namespace  = local.metrics, metric = key, statistic = "Sum"
      dimensions = {}
      below      = each.at_least, period = 3600 * each.hours, periods = 1, missing = "breaching"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "business" {
  for_each       = var.business
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.main["api"].name
  pattern        = "{ $.event = \"${each.value.event}\" }"

  metric_transformation {
    namespace     = local.metrics
    name          = each.key
    value         = "1"
    default_value = "0"
  }
}
