.PHONY: token

token: $(READY) ## Print a token for make dev (make token SUBJECT=ada PERMISSIONS="orders:read")
	@$(BIN)/python -m dev.oidc $(if $(SUBJECT),--subject "$(SUBJECT)") $(if $(PERMISSIONS),--permissions "$(PERMISSIONS)")
