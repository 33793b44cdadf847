"""The service's feature flag commands, on the development database."""

from app.chassis.flags import __main__ as commands
from dev import database, environment


def main() -> None:
    """Carry out one command."""
    environment.load(".env.example", ".env")
    with database.development():
        commands.main()


if __name__ == "__main__":
    main()
