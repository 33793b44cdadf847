# What moto 5.2 cannot make: planned, never applied. docs/infrastructure.md names the same types.

resource "aws_backup_restore_testing_plan" "main" {
  count = 0
}

resource "aws_backup_restore_testing_selection" "database" {
  count                     = 0
  restore_testing_plan_name = "none"
}

resource "aws_backup_selection" "main" {
  count = 0
}

resource "aws_backup_selection" "uploads" {
  count = 0
}

resource "aws_backup_vault_policy" "elsewhere" {
  count = 0
}

resource "aws_backup_vault_policy" "main" {
  count = 0
}

resource "aws_budgets_budget" "main" {
  count = 0
}

resource "aws_cloudwatch_composite_alarm" "objective" {
  for_each = {}
}
