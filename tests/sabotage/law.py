"""What people's data are owed."""

from tests.sabotage.sabotage import Sabotage

MODELS, PRIVACY, TESTS = "src/app/orders/models.py", "src/app/chassis/privacy", "tests/chassis/test_privacy.py"
COLUMN = "    currency: Mapped[str] = mapped_column(String(3))\n"

SABOTAGES = [
    Sabotage(
        "law.export",
        "a column with a phone number, and nobody says that it is personal",
        MODELS,
        COLUMN,
        f"{COLUMN}    phone: Mapped[str | None] = mapped_column(String(40))\n",
        TESTS,
    ),
    Sabotage(
        "law.erasure",
        "a new table of people is forgotten",
        "src/app/models.py",
        "",
        '"""What is stored of guests."""\n\nfrom sqlalchemy import String\nfrom sqlalchemy.orm import Mapped, mapped_column\n\n'
        "from app.chassis.data.model import Model\n\n\nclass Guest(Model):\n"
        '    """Somebody who stays."""\n\n    __tablename__ = "guests"\n\n'
        "    id: Mapped[int] = mapped_column(primary_key=True)\n    email: Mapped[str] = mapped_column(String(200))\n",
        TESTS,
    ),
    Sabotage(
        "law.erasure",
        "somebody who asked to be forgotten is only counted",
        f"{PRIVACY}/erasure.py",
        "            statement: Delete | Update = delete(table.stored).where(condition)",
        "            statement: Delete | Update = delete(table.stored).where(condition, ~condition)",
        TESTS,
    ),
    Sabotage(
        "law.retention",
        "nothing is ever old enough",
        f"{PRIVACY}/erasure.py",
        "over = stored.c[table.rows.since] < func.now() - activity.kept",
        "over = stored.c[table.rows.since] < func.now() - 100 * activity.kept",
        TESTS,
    ),
    Sabotage(
        "law.retention",
        "what is held goes as well",
        f"{PRIVACY}/erasure.py",
        "free = ~table.belongs(lambda column: column.in_(holds.held()))",
        "free = ~table.belongs(lambda column: column.in_([]))",
        TESTS,
    ),
    Sabotage(
        "law.records",
        "orders are kept for longer, and the records do not say so",
        MODELS,
        "    kept=years(10),\n",
        "    kept=years(30),\n",
        TESTS,
    ),
    Sabotage(
        "law.controls",
        "a promise answers to no control",
        "readiness/controls.toml",
        'database = { "SOC 2" = ["A1.2"], "ISO 27001" = ["A.8.13"] }\n',
        "",
    ),
]
