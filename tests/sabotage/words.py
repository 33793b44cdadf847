"""Promises that people keep: a document with a place that nobody filled in. A word that expires: test_readiness.py."""

from tests.sabotage.sabotage import READINESS, Sabotage

DOCUMENTS = {
    "ops.runbook": "docs/runbook.md",
    "ops.incident": "docs/incidents/README.md",
    "ops.on-call": "docs/on-call.md",
    "ops.architecture": "docs/architecture.md",
    "security.threat-model": "docs/threat-model.md",
    "law.breach": "legal/breach.md",
    "law.privacy": "legal/privacy.md",
}
SABOTAGES = [
    Sabotage(row, "a place that nobody filled in", file, "# ", "[to decide: who looks at this]\n\n# ", READINESS)
    for row, file in DOCUMENTS.items()
]
