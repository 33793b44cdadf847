"""What happens between two releases: to the template, and meanwhile in the hands of a service's owner.

The places are chosen so that nothing collides except where a name says so.
"""

from pathlib import Path

HEALTH = "src/app/chassis/http/health.py"
ORDERS = "src/app/orders/service.py"
ALARMS = "docs/alarms.yml"
DELETED = "AGENTS.md"
ABANDONED = "docs/abandoned.md"
NEW = "src/app/chassis/http/novelty.py"

ROUTE = '''

@router.get("/version")
async def version() -> dict[str, str]:
    """Tell which version answers."""
    return {"version": "7"}
'''
DISCOUNTS = '''"""The owner's own, in a folder that the template wrote."""

from typing_extensions import TypeIs


def is_discount(percent: object) -> TypeIs[int]:
    """Tell whether it is one."""
    return isinstance(percent, int)
'''
SECTION = "\n## Our own ways\n\nDeploys wait for the anchor.\n"
SENTINEL = "    # --- yours: add below this line ---\n"
DEPENDENCY = '    "typing-extensions>=4.15",\n'


def replace(file: Path, old: str, new: str, nth: int = 1) -> None:
    text = file.read_text()
    parts = text.split(old)
    assert len(parts) > nth, f"{file} no longer says {old!r}: choose another place in {__name__}"
    file.write_text(old.join(parts[:nth]) + new + old.join(parts[nth:]))


def append(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as end:
        end.write(text)


def alarm(name: str) -> str:
    """Blocks that look alike are where three lines of context are not enough."""
    around = "  severity: page\n  period: 60\n  periods: 3\n"
    return f"{name}:\n{around}  threshold: 5\n  statistic: sum\n  missing: ignore\n  enabled: true\n\n"


def first_release(template: Path) -> None:
    append(template / "template" / ALARMS, "".join(alarm(f"alarm-{number:02}") for number in range(12)))
    append(template / "template" / ABANDONED, "# Soon nobody's\n")


def second_release(template: Path) -> None:
    service = template / "template"
    # ours
    replace(service / HEALTH, "TIMEOUT_SECONDS = 2", "TIMEOUT_SECONDS = 3")
    replace(service / ALARMS, "alarm-00:", alarm("alarm-new") + "alarm-00:")
    append(
        service / NEW, '"""What the second release brings."""\n\nfrom annotated_types import Gt\n\nPOSITIVE = Gt(0)\n'
    )
    append(service / DELETED, "- Mind the anchor.\n")
    # shared
    replace(service / "pyproject.toml.jinja", '    "asyncpg', '    "annotated-types>=0.7",\n    "asyncpg')
    replace(service / "README.md.jinja", "## Every day\n", "## Every single day\n")
    # yours: a release that touches these must not reach a service
    replace(service / f"{ORDERS}.jinja", '"""Place an order."""', '"""Accept an order."""')
    append(service / "src/app/orders/novelty.py", '"""What only new services get."""\n')
    # abandoned, as docs/releasing.md says
    (service / ABANDONED).unlink()
    replace(template / "copier.yml", "_exclude:\n", f"_exclude:\n  - {ABANDONED}\n")

    changelog = template / "CHANGELOG.md"
    changelog.write_text("## v1000.1.0\n\n- Health checks wait for three seconds.\n\n" + read(changelog))


def read(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


def edits(service: Path) -> None:
    """What an owner does, with a check that stays green."""
    append(service / HEALTH, ROUTE)
    replace(service / ALARMS, "threshold: 5", "threshold: 9", nth=6)
    replace(service / "pyproject.toml", SENTINEL, SENTINEL + DEPENDENCY)
    replace(service / ORDERS, '"""Place an order."""', '"""Take an order."""')
    append(service / "README.md", SECTION)
    append(service / "src/app/invoices/__init__.py", '"""A domain of the owner\'s."""\n')
    append(service / "src/app/orders/discounts.py", DISCOUNTS)
    append(service / ABANDONED, "but the owner's.\n")
    (service / DELETED).unlink()


def collision(service: Path) -> None:
    replace(service / HEALTH, "TIMEOUT_SECONDS = 2", "TIMEOUT_SECONDS = 5")
