"""What no resource may lack, yours in extra.tf included: the policies of infra/service/tests know only ours by name."""

import re
from pathlib import Path

import pytest

from tests.infra.values import resources

INFRA = Path("infra")
ALARMS = {"aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"}
POLICIES = {"aws_iam_policy", "aws_iam_role_policy"}
EVERYTHING = re.compile(r'(?:Action\s*=|,|\[)\s*"(?:\*|[\w-]+:\*)"')
ANYTHING = re.compile(r'Resource\s*=\s*"\*"$', re.MULTILINE)  # without a comment that says why
POWERFUL = re.compile(r"policy/(?:job-function/)?(?:Administrator|PowerUser|IAMFull|SystemAdministrator)")


def allowed(text: str) -> list[str]:
    """Return the statements that allow something."""
    statements = re.split(r'(?=Effect\s*=\s*"(?:Allow|Deny)")', text)[1:]
    return [each for each in statements if re.match(r'Effect\s*=\s*"Allow"', each)]


@pytest.mark.row("monitor.tiers")
def test_every_alarm_has_an_action() -> None:
    silent = [
        where
        for kind, where, text in resources(INFRA)
        if kind in ALARMS
        and not re.search(r"alarm_actions\s*=\s*\[\s*[^\]\s]", text)
        and not re.search(r"actions_enabled\s*=\s*false", text)
    ]
    assert silent == [], "alarm_actions = [aws_sns_topic.main[…].arn], or it tells nobody"


@pytest.mark.row("monitor.tiers")
def test_every_alarm_names_its_entry_in_the_runbook() -> None:
    lost = [
        where
        for kind, where, text in resources(INFRA)
        if kind in ALARMS and "local.runbook" not in text and not re.search(r"actions_enabled\s*=\s*false", text)
    ]
    assert lost == [], "end alarm_description with ${local.runbook}and-the-entry"


@pytest.mark.row("security.iam")
def test_every_role_of_an_environment_has_its_boundary() -> None:
    roots = [INFRA / each for each in ("service", "staging", "prod")]
    roles = [found for root in roots for found in resources(root) if found[0] == "aws_iam_role"]
    assert roles
    assert [where for _, where, text in roles if "permissions_boundary" not in text] == []


@pytest.mark.row("security.iam")
def test_no_role_may_do_everything_or_anything_with_everything() -> None:
    policies = [found for found in resources(INFRA) if found[0] in POLICIES and ".boundary" not in found[1]]
    assert policies
    told = {
        where: statement for _, where, text in policies for statement in allowed(text) if EVERYTHING.search(statement)
    }
    assert told == {}, "name the actions"
    told = {
        where: statement
        for _, where, text in policies
        for statement in allowed(text)
        if ANYTHING.search(statement) and "Condition" not in statement and "CKV_AWS_355" not in text
    }
    assert told == {}, 'name the resources, or say on the line of "*" why there are none'


@pytest.mark.row("security.iam")
def test_no_role_has_a_policy_of_aws_for_administrators() -> None:
    attached = [found for found in resources(INFRA) if POWERFUL.search(found[2])]
    # Terraform's own: what it may not do stands beside it.
    assert [
        where
        for _, where, _ in attached
        if where != "infra/bootstrap/github.tf: aws_iam_role_policy_attachment.terraform"
    ] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Effect = "Allow"\nAction = "*"\n', True),
        ('Effect   = "Allow"\nAction   = ["s3:GetObject", "s3:*"]\n', True),
        ('Effect = "Allow"\nAction = "s3:Get*"\n', False),
        ('Effect = "Deny"\nAction = "s3:*"\n', False),
    ],
)
def test_a_role_that_may_do_everything_is_found(text: str, found: bool) -> None:
    assert any(EVERYTHING.search(each) for each in allowed(text)) is found
