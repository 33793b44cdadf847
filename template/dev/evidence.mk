.PHONY: evidence

evidence: sbom ## Write reports/evidence-DATE.zip: readiness, controls, documents, SBOM and commits, for an auditor
	@$(BIN)/python -m dev.readiness || test $$? -eq 1
	@$(BIN)/python -m dev.readiness.bundle
