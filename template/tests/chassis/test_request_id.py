"""The id of a request joins answer, logs and caller."""

import pytest
from httpx2 import AsyncClient


async def test_a_sane_id_is_kept(client: AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = await client.get("/probe", headers={"X-Request-ID": "caller-4711"})
    assert answer.headers["x-request-id"] == "caller-4711"
    assert "caller-4711" in capsys.readouterr().out


@pytest.mark.parametrize(
    "sent", ["short", "spaces in it", "x" * 65, "<script>alert(1)</script>", "4111-1111-1111-1111"]
)
async def test_any_other_is_replaced(client: AsyncClient, sent: str) -> None:
    answer = await client.get("/probe", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 32
