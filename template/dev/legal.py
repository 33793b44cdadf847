"""Writes the texts that the service serves to reports/legal/, as it serves them: for counsel to read."""

from app.chassis.legal import texts
from dev.environment import PROJECT

REPORTS = PROJECT / "reports" / "legal"


def main() -> None:
    """Write them, and say in which version."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    for name, text in texts.read(PROJECT).items():
        (REPORTS / f"{name}.md").write_text(text.markdown())
        print(f"reports/legal/{name}.md: {text.version}")


if __name__ == "__main__":
    main()
