# The values of an environment as they are, through the checks of variables.tf and those below: tests/infra/test_terraform.py
# runs this once with each terraform.tfvars. What does not depend on values is in policies.tftest.hcl.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

mock_provider "aws" {
  alias           = "elsewhere"
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  identity   = jsondecode(file("../identity.json"))
  objectives = jsondecode(file("../objectives.json"))
  passwords  = { app = "1", migrator = "2" }
}

run "values" {
  command = plan

  assert {
    condition     = var.environment != "prod" || aws_db_instance.main.multi_az
    error_message = "backup.database: production has a standby in another zone (database.multi_az)"
  }
  assert {
    condition     = length(aws_cloudwatch_composite_alarm.objective) > 0
    error_message = "monitor.slo: something is promised to callers, and watched (src/app/objectives.py)"
  }
  assert {
    condition     = length(var.business) > 0
    error_message = "monitor.business: an alarm misses what users no longer do (business)"
  }
  assert {
    condition     = !contains(["/", "/health/live", "/health/ready"], var.probe_path)
    error_message = "monitor.uptime: the probe reads what a user reads (probe_path)"
  }
  assert {
    condition     = alltrue([for name in keys(var.settings) : !can(regex("(KEY|SECRET|PASSWORD|TOKEN|CREDENTIALS)$", name))])
    error_message = "security.secrets: a setting that is a secret by its name stands in secret_settings, and its value nowhere here"
  }
}
