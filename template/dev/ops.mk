.PHONY: deploy rollback probe task alarm-drill restore-drill-aws objectives

NAMED = test -n "$(ENVIRONMENT)" || { echo 'Say where: make $@ ENVIRONMENT=staging'; exit 2; }

deploy: $(READY) ## Bring an image into service: make deploy ENVIRONMENT=staging DIGEST=sha256:...
	@$(NAMED)
	@test -n "$(DIGEST)" || { echo 'Say what: make deploy ENVIRONMENT=$(ENVIRONMENT) DIGEST=sha256:...'; exit 2; }
	@$(BIN)/python -m ops.deploy "$(ENVIRONMENT)" "$(DIGEST)" $(ARGS)

rollback: $(READY) ## Bring an earlier release back: make rollback ENVIRONMENT=staging [TO=sha256:...]
	@$(NAMED)
	@$(BIN)/python -m ops.rollback "$(ENVIRONMENT)" "$(or $(TO),previous)" $(ARGS)

settle: $(READY) ## After a deploy that failed or was killed: take back what this machine has left, say what serves
	@$(NAMED)
	@$(BIN)/python -m ops.settle "$(ENVIRONMENT)" $(ARGS)

publish: $(READY) ## Push an image into the registry, and say its digest: make publish IMAGE=service TAG=...
	@test -n "$(TAG)" || { echo 'Say which: make publish IMAGE=service TAG=...'; exit 2; }
	@$(BIN)/python -m ops.publish "$(IMAGE)" "$(TAG)"

plan: $(READY) ## Show what would change in an environment's infrastructure: make plan ENVIRONMENT=staging
	@$(NAMED)
	@$(BIN)/python -m ops.infrastructure plan "$(ENVIRONMENT)"

apply: $(READY) ## Change it: make apply ENVIRONMENT=staging [PLAN=the fingerprint that make plan has printed]
	@$(NAMED)
	@$(BIN)/python -m ops.infrastructure apply "$(ENVIRONMENT)" $(if $(PLAN),--plan "$(PLAN)")

drift: $(READY) ## Fail if it is not what infra/ says: make drift ENVIRONMENT=staging
	@$(NAMED)
	@$(BIN)/python -m ops.infrastructure drift "$(ENVIRONMENT)"

issue: $(READY)
	@$(BIN)/python -m ops.issue "$(TITLE)" "$(TEXT)"

probe: $(READY) ## Walk through an environment as a user does: make probe ENVIRONMENT=staging
	@$(NAMED)
	@$(BIN)/python -m ops.probe "$(ENVIRONMENT)" $(ARGS)

task: $(READY) ## Run a command of the image in an environment: make task ENVIRONMENT=prod COMMAND="python -m app.chassis.flags show"
	@$(NAMED)
	@test -n "$(COMMAND)" || { echo 'Say what: make task ENVIRONMENT=$(ENVIRONMENT) COMMAND="python -m app.chassis.flags show"'; exit 2; }
	@$(BIN)/python -m ops.task "$(ENVIRONMENT)" '$(COMMAND)' $(ARGS)

alarm-drill: $(READY) ## Set an alarm of each tier off, and see who hears it: make alarm-drill ENVIRONMENT=staging
	@$(NAMED)
	@$(BIN)/python -m ops.alarm_drill "$(ENVIRONMENT)" $(ARGS)

restore-drill-aws: $(READY) ## Restore the newest backup beside, check it, remove it: make restore-drill-aws ENVIRONMENT=staging
	@$(NAMED)
	@$(BIN)/python -m ops.restore_drill "$(ENVIRONMENT)" $(ARGS)

objectives: $(READY) ## Write infra/objectives.json, which alarms are made from: it is src/app/objectives.py
	@$(BIN)/python -m app.chassis.telemetry.objectives > infra/objectives.json
