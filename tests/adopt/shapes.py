"""Three repositories that nobody made with the template."""

from pathlib import Path

from tests.services import commit

API = """from fastapi import FastAPI

app = FastAPI()

@app.get("/hello")
def hello(name="world"):
    return {"hello": name}
"""
TEST = """from fastapi.testclient import TestClient

from {module} import app


def test_hello():
    assert TestClient(app).get("/hello").json() == {{"hello": "world"}}
"""
MODELS = """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
"""
REVISION = '''"""create invoices"""
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "invoices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("total", sa.Integer, nullable=False),
    )


def downgrade():
    op.drop_table("invoices")
'''
ENV = """from alembic import context
from sqlalchemy import create_engine

from billing.models import Base

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
POETRY = """[tool.poetry]
name = "shop"
version = "1.4.0"
description = "The shop."
authors = ["A <a@example.com>"]
packages = [{ include = "shop", from = "src" }]

[tool.poetry.dependencies]
python = "^3.12"
fastapi = "^0.110"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
CI = """name: build
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pip install poetry && poetry install && poetry run pytest
"""

SHAPES: dict[str, dict[str, str]] = {
    "flat": {
        "main.py": API,
        "test_main.py": TEST.format(module="main"),
        "requirements.txt": "fastapi==0.110.0\nuvicorn\npython-slugify>=8 # names\n",
        "README.md": "# Hello\n\nRun `uvicorn main:app`.\n",
        ".gitignore": "__pycache__/\n*.sqlite\n",
    },
    "poetry": {
        "src/shop/__init__.py": "",
        "src/shop/api.py": API,
        "tests/test_api.py": TEST.format(module="shop.api"),
        "pyproject.toml": POETRY,
        "Dockerfile": 'FROM python:3.12\nCOPY . /app\nRUN pip install /app\nCMD ["uvicorn", "shop.api:app"]\n',
        ".github/workflows/ci.yml": CI,
        "README.md": "# Shop\n\nThe shop.\n",
        "Makefile": "test:\n\tpoetry run pytest\n",
    },
    "alembic": {
        "billing/__init__.py": "",
        "billing/api.py": API,
        "billing/models.py": MODELS,
        "tests/test_billing.py": TEST.format(module="billing.api"),
        "alembic.ini": "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql://localhost/billing\n",
        "migrations/env.py": ENV,
        "migrations/versions/0001_create_invoices.py": REVISION,
        "requirements.txt": "fastapi\nsqlalchemy\nalembic\npsycopg[binary]\n",
        "README.md": "# Billing\n",
    },
}


def write(shape: str, folder: Path) -> Path:
    for path, content in SHAPES[shape].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    commit(folder, "What there is")
    return folder
