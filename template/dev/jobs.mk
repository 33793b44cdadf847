.PHONY: dead-letters dead-letter replay discard

dead-letters: $(READY) ## List the jobs that were given up
	@$(BIN)/python -m dev.jobs list

dead-letter: $(READY) ## Show one and what it carries: make dead-letter ID=7
	@test -n "$(ID)" || { echo 'Say which: make dead-letter ID=7'; exit 2; }
	@$(BIN)/python -m dev.jobs show "$(ID)"

replay: $(READY) ## Have it done again: make replay ID=7 (or all of a name: ID=orders.settle_payment)
	@test -n "$(ID)" || { echo 'Say which: make replay ID=7'; exit 2; }
	@$(BIN)/python -m dev.jobs replay "$(ID)" --by "$$(id -un)" --reason "$(or $(REASON),in development)"

discard: $(READY) ## Delete it: make discard ID=7
	@test -n "$(ID)" || { echo 'Say which: make discard ID=7'; exit 2; }
	@$(BIN)/python -m dev.jobs discard "$(ID)" --by "$$(id -un)" --reason "$(or $(REASON),in development)"
