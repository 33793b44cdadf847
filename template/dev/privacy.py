"""The service's commands about personal data, on the development database."""

import sys

from app.chassis.privacy import __main__ as commands
from dev import database, environment


def main() -> None:
    """Carry out one command."""
    environment.load(".env.example", ".env")
    if sys.argv[1:] == ["records"]:  # known without a database
        commands.main()
        return
    with database.development():
        commands.main()


if __name__ == "__main__":
    main()
