"""All sabotages. Another area: a module beside this one, and its name here."""

from tests.sabotage import data, delivery, http, infrastructure, law, security, telemetry, uploads, words, work
from tests.sabotage.sabotage import Sabotage

AREAS: dict[str, list[Sabotage]] = {
    module.__name__.rpartition(".")[2]: module.SABOTAGES
    for module in (http, security, data, telemetry, work, infrastructure, delivery, law, words, uploads)
}
ALL = [sabotage for area in AREAS.values() for sabotage in area]

# Rows whose proof is still being built. Never empty a row's sabotages into this.
MISSING: set[str] = set()
