# What the provider checks the shape of, even when nothing is real.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["a", "b", "c"] }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
}

mock_resource "aws_lb" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/n/1"
    arn_suffix = "app/n/1"
  }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/n/1"
    arn_suffix = "targetgroup/n/1"
  }
}

mock_resource "aws_lb_listener" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/n/1/1" }
}

mock_resource "aws_acm_certificate" {
  defaults = {
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
    domain_validation_options = [{
      domain_name           = "n.example.com"
      resource_record_name  = "_1.n.example.com"
      resource_record_type  = "CNAME"
      resource_record_value = "_2.acm-validations.aws"
    }]
  }
}

mock_resource "aws_acm_certificate_validation" {
  defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam:eu-central-1:123456789012:role/n" }
}

mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/n" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:n" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:n" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:n" }
}

mock_resource "aws_db_instance" {
  defaults = {
    address            = "n.rds.example.com"
    arn                = "arn:aws:rds:eu-central-1:123456789012:db:n"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:n" }]
  }
}

mock_resource "aws_backup_vault" {
  defaults = { arn = "arn:aws:backup:eu-central-1:123456789012:backup-vault:n" }
}

mock_resource "aws_wafv2_web_acl" {
  defaults = { arn = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/n/1" }
}

mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:n" }
}

mock_resource "aws_cloudwatch_event_rule" {
  defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/n" }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/n" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/n:1" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:eu-central-1:123456789012:n" }
}

mock_resource "aws_elasticache_replication_group" {
  defaults = { primary_endpoint_address = "n.cache.example.com" }
}

mock_resource "aws_nat_gateway" {
  defaults = { id = "nat-1" }
}

mock_resource "aws_vpc" {
  defaults = { id = "vpc-1" }
}
