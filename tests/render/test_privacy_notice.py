"""What the privacy notice says of logs is what the infrastructure does."""

import re
from pathlib import Path

import pytest

from tests.conftest import Render


@pytest.mark.parametrize("level", ["personal-data", "regulated"])
def test_logs_are_kept_as_long_as_it_says(render: Render, level: str) -> None:
    service = render(cloud="aws", compliance_level=level)
    days = re.search(
        r"log_days += local.regulated \? (\d+) : local.personal_data \? (\d+)",
        (service / "infra/service/locals.tf").read_text(),
    )
    assert days
    kept = days[1 if level == "regulated" else 2]
    assert re.findall(r"deleted after (\d+) days", notice(service)) == [kept]


def test_it_names_the_addresses_that_the_load_balancer_writes_down(render: Render) -> None:
    with_cloud, without = (render(cloud=cloud, compliance_level="personal-data") for cloud in ("aws", "none"))
    assert "access_logs" in (with_cloud / "infra/service/load_balancer.tf").read_text()
    assert "network address that it came from" in notice(with_cloud)
    assert "to decide: whether a proxy" in notice(without)


def notice(service: Path) -> str:
    return " ".join((service / "legal/privacy.md").read_text().split())
