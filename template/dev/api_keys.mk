.PHONY: token api-key api-keys api-key-revoke

token: $(READY) ## Print the key that make dev accepts
	@$(BIN)/python -m dev.api_keys token

api-key: $(READY) ## Issue a key, shown once: make api-key NAME=billing PERMISSIONS="orders:read"
	@test -n "$(NAME)" -a -n "$(PERMISSIONS)" || \
		{ echo 'Say for whom, and for what: make api-key NAME=billing PERMISSIONS="orders:read"'; exit 2; }
	@$(BIN)/python -m dev.api_keys issue "$(NAME)" $(PERMISSIONS)

api-keys: $(READY) ## List the keys
	@$(BIN)/python -m dev.api_keys list

api-key-revoke: $(READY) ## Make a key useless: make api-key-revoke PREFIX=0123456789ab
	@test -n "$(PREFIX)" || { echo 'Say which: make api-key-revoke PREFIX=0123456789ab'; exit 2; }
	@$(BIN)/python -m dev.api_keys revoke "$(PREFIX)"
