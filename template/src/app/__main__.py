"""Runs the API as production does: `python -m app`."""

from app.chassis.http.server import serve
from app.chassis.settings import load
from app.main import build
from app.settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, then let requests in flight finish."""
    settings = load(Settings)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
