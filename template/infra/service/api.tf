# The API: as many replicas as its load asks for, replaced one by one.

resource "aws_ecs_service" "api" {
  name                               = "api"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.main["api"].arn
  desired_count                      = 0 # the first deploy raises it: before, there is no image
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  health_check_grace_period_seconds  = 60
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  availability_zone_rebalancing      = "ENABLED" # after a zone was lost and is back
  propagate_tags                     = "SERVICE"

  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "api"
    container_port   = local.port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # What turns on while a release rolls out takes it back. Not those that tell of the moment before it.
  alarms {
    alarm_names = [for key in ["api-errors", "api-down"] : "${local.name}-${key}"]
    enable      = true
    rollback    = true
  }

  depends_on = [aws_lb_listener.https, aws_cloudwatch_metric_alarm.main]

  lifecycle {
    ignore_changes = [task_definition, desired_count] # the deploy's, and autoscaling's
  }
}

resource "aws_appautoscaling_target" "api" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.api.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.api.min_replicas
  max_capacity       = var.api.max_replicas

  lifecycle {
    ignore_changes = [tags_all] # AWS adds its own
  }
}

resource "aws_appautoscaling_policy" "api" {
  for_each           = { cpu = "ECSServiceAverageCPUUtilization", memory = "ECSServiceAverageMemoryUtilization" }
  name               = "${local.name}-api-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.api.service_namespace
  resource_id        = aws_appautoscaling_target.api.resource_id
  scalable_dimension = aws_appautoscaling_target.api.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = each.key == "cpu" ? 55 : 75 # percent
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = each.value
    }
  }
}
