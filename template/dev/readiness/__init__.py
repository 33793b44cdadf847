"""Is this service ready? `make readiness` computes it: from tests that carry the ids of rows, and from attestations."""
