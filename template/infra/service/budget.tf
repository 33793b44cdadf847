# What this environment costs: by its tags, which must be activated once as cost allocation tags (infra/README.md).

resource "aws_budgets_budget" "main" {
  name         = local.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:stack$%s", local.name)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type          = notification.key
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = [var.identity.on_call_email]
      subscriber_sns_topic_arns  = [aws_sns_topic.main["warn"].arn]
    }
  }
}
