.PHONY: readiness

readiness: $(READY) ## What is proven, attested and open of the promises in readiness/catalogue (fails while something is)
	@$(BIN)/python -m dev.readiness
