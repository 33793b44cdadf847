.PHONY: soak rehearse restore-drill load

soak: $(READY) ## Let the service idle, and see that it is quiet: make soak MINUTES=10
	@$(BIN)/python -m dev.soak $(if $(MINUTES),--minutes "$(MINUTES)")

restore-drill: $(READY) ## Dump the development database, restore it beside, and compare all of it
	@$(BIN)/python -m dev.restore_drill

load: $(READY) ## Put the service under load, against its thresholds: make load USERS=20 SECONDS=60
	@$(BIN)/python -m dev.load $(if $(USERS),--users "$(USERS)") $(if $(SECONDS),--seconds "$(SECONDS)")

rehearse: $(READY) ## Kill processes under load, and account for all that was asked: make rehearse KILLS=20
	@$(BIN)/python -m dev.rehearse $(if $(KILLS),--kills "$(KILLS)") $(if $(SEED),--seed "$(SEED)")
