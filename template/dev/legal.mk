.PHONY: legal

legal: $(READY) ## Write the texts that /legal serves to reports/legal/, with the tables that the code fills
	@$(BIN)/python -m dev.legal
