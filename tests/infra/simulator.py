"""moto as a server that Terraform can apply to: `python -m tests.infra.simulator PORT`.

What is patched here is what moto leaves out of an answer although it keeps it, or refuses although AWS takes it. An
echo like this makes a second plan empty by construction: it proves nothing about that attribute.
"""

import json
import os
import sys
from typing import Any

os.environ |= {
    "MOTO_ACM_VALIDATION_WAIT": "1",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_ECS_SERVICE_RUNNING": "0",
}

from urllib.parse import unquote

from flask import Flask
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.awslambda.models import LambdaFunction
from moto.backup.responses import BackupResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_server import werkzeug_app
from moto.rds.models import DBParameterGroup, RDSBackend
from werkzeug.serving import run_simple


def patch() -> None:
    """Each of these is forgotten or garbled by moto 5.2."""
    SecurityGroupRule.description = property(
        lambda rule: rule.ip_range.get("Description") or (rule.source_group or {}).get("Description")
    )

    def list_tags(response: Any) -> str:
        arn = unquote(response.path).split("/tags/", 1)[1].strip("/")
        return json.dumps({"Tags": response.backup_backend.list_tags(resource_arn=arn)})

    BackupResponse.list_tags = list_tags

    update = DBParameterGroup.update_parameters

    def update_parameters(group: Any, new_parameters: Any) -> None:
        update(group, [each | {"Source": "user"} for each in new_parameters])

    DBParameterGroup.update_parameters = update_parameters

    create = RDSBackend.create_db_instance

    def create_db_instance(backend: Any, given: dict[str, Any]) -> Any:
        instance = create(backend, given)
        instance.performance_insights_enabled = given.get("enable_performance_insights")
        for name in ("performance_insights_kms_key_id", "performance_insights_retention_period"):
            setattr(instance, name, given.get(name))
        return instance

    RDSBackend.create_db_instance = create_db_instance

    begin_service = EC2ContainerServiceResponse.create_service

    def create_service(response: Any) -> Any:
        answer = begin_service(response)
        service, given = answer.result["service"], json.loads(response.body)
        service.health_check_grace_period_seconds = given.get("healthCheckGracePeriodSeconds")
        service.availability_zone_rebalancing = given.get("availabilityZoneRebalancing")
        return answer

    EC2ContainerServiceResponse.create_service = create_service

    register = ApplicationAutoScalingResponse.register_scalable_target
    tagged: dict[str, dict[str, str]] = {}

    def register_scalable_target(response: Any) -> str:
        answer = register(response)
        tagged.setdefault(json.loads(answer)["ScalableTargetARN"], json.loads(response.body).get("Tags", {}))
        return str(answer)

    ApplicationAutoScalingResponse.register_scalable_target = register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = lambda response: json.dumps(
        {"Tags": tagged.get(json.loads(response.body)["ResourceARN"], {})}
    )

    begin, configuration = LambdaFunction.__init__, LambdaFunction.get_configuration

    def keep(function: Any, account_id: str, spec: dict[str, Any], *rest: Any, **more: Any) -> None:
        begin(function, account_id, spec, *rest, **more)
        function.logging_config = spec.get("LoggingConfig")

    LambdaFunction.__init__ = keep
    LambdaFunction.get_configuration = lambda function, *rest, **more: (
        configuration(function, *rest, **more) | {"LoggingConfig": function.logging_config}
    )


def serve(port: int) -> None:
    patch()
    create = werkzeug_app.create_backend_app

    def patient(service: str) -> Flask:
        app: Any = create(service)
        # 500 is repeated for ten minutes; this is not.
        app.register_error_handler(NotImplementedError, lambda error: (f"moto does not know {error}", 501))
        return app

    werkzeug_app.create_backend_app = patient
    run_simple("127.0.0.1", port, werkzeug_app.DomainDispatcherApplication(patient), threaded=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
