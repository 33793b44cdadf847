# The rows of the readiness catalogue that bootstrap keeps, at the level of infra/identity.json, without an account.

mock_provider "aws" {
  source          = "../service/tests/mocks"
  override_during = plan
}

variables {
  owns_account = true
}

run "bootstrap" {
  command = plan

  assert {
    condition = (
      one(aws_s3_bucket_versioning.state.versioning_configuration).status == "Enabled"
      && one(one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
      && aws_kms_key.main.enable_key_rotation
    )
    error_message = "tls.at-rest: Terraform's state is encrypted with a key of ours, and each of its versions kept"
  }
  assert {
    condition = alltrue([
      for each in [aws_s3_bucket_public_access_block.state, aws_s3_account_public_access_block.main[0]] :
      each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets
    ])
    error_message = "security.network: no bucket of the account is public"
  }
  assert {
    condition = alltrue([
      for role, environment in local.roles :
      jsondecode(aws_iam_role.github[role].assume_role_policy).Statement[0].Condition.StringEquals
      == {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:${local.identity.repository}:environment:${environment}"
      }
    ])
    error_message = "security.iam: GitHub gets in from one environment of one repository"
  }
  assert {
    condition = alltrue(flatten([
      for each in values(aws_iam_role_policy.terraform) : [
        for action in ["rds:DeleteDBInstance", "kms:ScheduleKeyDeletion", "backup:DeleteRecoveryPoint", "ecr:DeleteRepository"] :
        anytrue([for statement in jsondecode(each.policy).Statement : statement.Effect == "Deny" && contains(flatten([statement.Action]), action)])
      ]
    ]))
    error_message = "security.iam: what CI applies cannot destroy data"
  }
  assert {
    condition = alltrue(flatten([
      for each in values(aws_iam_role_policy.terraform) : [
        for statement in jsondecode(each.policy).Statement :
        try(statement.Condition.StringEquals["iam:PermissionsBoundary"], null) == aws_iam_policy.boundary.arn
        if statement.Effect == "Allow" && contains(flatten([statement.Action]), "iam:CreateRole")
      ]
    ]))
    error_message = "security.iam: Terraform makes roles within the boundary only"
  }
  assert {
    condition     = aws_ecr_repository.main.image_tag_mutability == "IMMUTABLE"
    error_message = "deliver.once: an image is never replaced under its tag"
  }
  assert {
    condition = (
      length(aws_cloudtrail.main) == (local.regulated ? 1 : 0) && length(aws_guardduty_detector.main) == length(aws_cloudtrail.main)
      && alltrue([for each in aws_cloudtrail.main : each.is_multi_region_trail && each.enable_log_file_validation && each.kms_key_id != null])
      && alltrue([for each in aws_s3_bucket.trail : each.object_lock_enabled])
    )
    error_message = "security.audit-trail: at level regulated who did what in the account is written where nobody changes it, and watched"
  }
}
