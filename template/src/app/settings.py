"""The service's settings: those of the chassis, then its own.

Add yours as annotated fields without a default, and a line in `.env.example`:
a start that lacks one stops and names it, so production never runs on a guess.
"""

from app.chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """Everything that may differ between two environments."""
