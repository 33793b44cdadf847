.PHONY: privacy-export privacy-erase privacy-hold privacy-lift privacy-records

WHOSE = test -n "$(SUBJECT)" || { echo 'Say whose: make $@ SUBJECT=ada'; exit 2; }

privacy-export: $(READY) ## Print all data of a person: make privacy-export SUBJECT=ada
	@$(WHOSE)
	@$(BIN)/python -m dev.privacy export "$(SUBJECT)" --by "$$(id -un)"

privacy-erase: $(READY) ## Erase them: make privacy-erase SUBJECT=ada
	@$(WHOSE)
	@$(BIN)/python -m dev.privacy erase "$(SUBJECT)" --by "$$(id -un)"

privacy-hold: $(READY) ## Keep them, whoever wants them gone: make privacy-hold SUBJECT=ada REASON="case 7"
	@$(WHOSE)
	@$(BIN)/python -m dev.privacy hold "$(SUBJECT)" --by "$$(id -un)" --reason "$(or $(REASON),in development)"

privacy-lift: $(READY) ## Lift that hold: make privacy-lift SUBJECT=ada
	@$(WHOSE)
	@$(BIN)/python -m dev.privacy lift "$(SUBJECT)" --by "$$(id -un)"

privacy-records: $(READY) ## Write legal/records.md from the models: what is processed, why and for how long
	@mkdir -p legal
	@$(BIN)/python -m dev.privacy records > legal/records.md

# As uv.lock: written when it is not there, and then yours to commit.
legal/records.md: | $(READY)
	@echo "Writing legal/records.md: commit it"
	@$(MAKE) --no-print-directory privacy-records

test check readiness: | legal/records.md
