data "aws_caller_identity" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394: the first two are taken, however many there are
  state = "available"
}

locals {
  name    = "${var.identity.name}-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  region  = var.identity.region
  zones   = slice(data.aws_availability_zones.available.names, 0, 2)

  # The levels are ordered: each adds to the one before.
  personal_data = var.identity.compliance_level != "baseline"
  regulated     = var.identity.compliance_level == "regulated"

  log_days      = local.regulated ? 400 : local.personal_data ? 90 : 30
  recovery_days = local.regulated ? 400 : local.personal_data ? 90 : 35

  runbook = "https://github.com/${var.identity.repository}/blob/main/docs/runbook.md#"
}
