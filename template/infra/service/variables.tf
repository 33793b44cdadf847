# What the two environments give. Nothing here has a default that staging and prod could quietly inherit, except what only
# the owner of a service may want.

variable "identity" {
  description = "infra/identity.json: what the service is"
  type = object({
    name             = string
    owner_team       = string
    on_call_email    = string
    repository       = string
    compliance_level = string
    domain           = string
    region           = string
    backup_region    = string
  })

  validation {
    condition     = contains(["baseline", "personal-data", "regulated"], var.identity.compliance_level)
    error_message = "compliance_level is baseline, personal-data or regulated."
  }
  validation {
    condition     = var.identity.region != var.identity.backup_region
    error_message = "backup.elsewhere: backups that are in the same region as the database are lost with it: give another backup_region."
  }
}

variable "environment" {
  description = "staging or prod"
  type        = string

  validation {
    condition     = contains(["staging", "prod"], var.environment)
    error_message = "There are two environments: staging and prod."
  }
}

variable "host" {
  description = "the name that it answers to, within the identity's domain"
  type        = string

  validation {
    condition     = endswith(var.host, ".${var.identity.domain}")
    error_message = "The host is a name within ${var.identity.domain}."
  }
}

variable "network" {
  description = "the VPC's addresses, and how many NAT gateways: one is cheaper, one a zone survives the loss of a zone"
  type        = object({ cidr = string, nat_gateways = number })

  validation {
    condition     = contains([1, 2], var.network.nat_gateways)
    error_message = "One NAT gateway, or two: there are two zones."
  }
}

variable "api" {
  description = "CPU units (1024 are one core) and MiB of a replica, and how many there are"
  type        = object({ cpu = number, memory = number, min_replicas = number, max_replicas = number })

  validation {
    condition     = 2 <= var.api.min_replicas && var.api.min_replicas <= var.api.max_replicas
    error_message = "run.scale: at least two replicas, so that the loss of one is not the loss of all; and at most max_replicas."
  }
}

variable "database" {
  description = <<-EOT
    The instance class; storage in GiB, now and at most; whether a standby runs in another zone; days that
    point-in-time recovery reaches back; max_connections of the server; what is promised about recovery, in minutes:
    how much may be lost (RPO), and how long it may take (RTO).
  EOT
  type = object({
    class           = string
    storage         = number
    max_storage     = number
    multi_az        = bool
    backup_days     = number
    max_connections = number
    rpo_minutes     = number
    rto_minutes     = number
  })

  validation {
    # RDS ships the log every five minutes; below that only a standby helps.
    condition     = var.database.rpo_minutes >= 5 && (var.database.rpo_minutes >= 15 || var.database.multi_az)
    error_message = "backup.database: point-in-time recovery loses up to five minutes; less than fifteen needs a standby (multi_az)."
  }
  validation {
    condition     = var.database.backup_days >= 7 && var.database.backup_days <= 35
    error_message = "backup.database: point-in-time recovery reaches back 7 to 35 days."
  }
}

variable "pool_size" {
  description = "DATABASE_POOL_SIZE: connections that each process may hold"
  type        = number
}

variable "settings" {
  description = "settings of the code that Terraform does not compute: name → value"
  type        = map(string)
}

variable "secret_settings" {
  description = "settings of the code that are secrets: their names. Their values are put into Secrets Manager by hand"
  type        = set(string)
  default     = []
}

variable "passwords" {
  description = "of the database's roles app and migrator. Used when password_version changes, and never kept in the state"
  type        = object({ app = string, migrator = string })
  ephemeral   = true
}

variable "password_version" {
  description = "raise it by one to rotate the passwords (infra/README.md says what comes then)"
  type        = number
}

variable "objectives" {
  description = "infra/objectives.json: what is promised to callers, and when somebody has to know that it is in danger"
  type = list(object({
    name    = string
    kind    = string
    target  = number
    route   = optional(string)
    seconds = optional(number)
    alarms = list(object({
      severity             = string
      long_window_minutes  = number
      short_window_minutes = number
      burn_rate            = number
      error_rate           = number
    }))
  }))

  validation {
    condition     = alltrue([for each in var.objectives : contains(["availability", "latency"], each.kind)])
    error_message = "monitor.slo: an objective is of kind availability or latency: others have no alarm in objectives.tf yet."
  }
}

variable "business" {
  description = "what must go on happening: name → the log event that counts it, and how many there are at least in so many hours"
  type        = map(object({ event = string, at_least = number, hours = number }))

  validation {
    condition     = alltrue([for each in var.business : contains([1, 2, 3, 4, 6, 8, 12, 24], each.hours)])
    error_message = "monitor.business: CloudWatch looks back 24 hours at most: 1, 2, 3, 4, 6, 8, 12 or 24."
  }
}

variable "probe_path" {
  description = "what the probe reads as a user would, with credentials from the secret probe"
  type        = string
}

variable "monthly_budget" {
  description = "USD a month that this environment should cost at most"
  type        = number
}

variable "pager" {
  description = "https:// address of the pager's CloudWatch integration, in a secret variable of CI; empty: pages are e-mails"
  type        = string
  sensitive   = true
  default     = ""
}
