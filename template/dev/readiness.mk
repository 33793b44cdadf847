.PHONY: readiness attest

readiness: $(READY) ## What is proven, attested and open of the promises in readiness/catalogue (fails while something is)
	@$(BIN)/python -m dev.readiness

attest: $(READY) ## Draft your word for readiness/attestations.toml: make attest ROW=ops.on-call BY="Ada Lovelace, lead"
	@test -n "$(ROW)" -a -n "$(BY)" || { echo 'Say about what, and who you are: make attest ROW=ops.on-call BY="Ada Lovelace, lead"'; exit 2; }
	@$(BIN)/python -m dev.readiness attest "$(ROW)" --by "$(BY)"
