# What is there once for the account or for the repository, before any environment: where Terraform remembers, where images
# are kept, and how GitHub gets in. Applied by hand, by two people, hardly ever (infra/README.md).

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  identity  = jsondecode(file("${path.module}/../identity.json"))
  name      = local.identity.name
  account   = data.aws_caller_identity.current.account_id
  regulated = local.identity.compliance_level == "regulated"
}

variable "owns_account" {
  description = "whether this service's bootstrap keeps the account's own settings: one service of each account does"
  type        = bool
}

data "aws_caller_identity" "current" {}

provider "aws" {
  region = local.identity.region

  default_tags {
    tags = { service = local.name, stack = "${local.name}-bootstrap", owner = local.identity.owner_team }
  }
}

output "backend" {
  description = "what stands in infra/backend.hcl"
  value       = "bucket = \"${aws_s3_bucket.state.id}\"\nregion = \"${local.identity.region}\"\n"
}
