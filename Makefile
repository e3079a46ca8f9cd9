# Each target is short; CI calls the same ones.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
# Which of pyproject.toml's groups `make env` installs: web, engine or dev.
INSTALL := dev
export RASA_TELEMETRY_ENABLED := false
export UV_COMPILE_BYTECODE := 1

.PHONY: help env run test chaos attack audit train fitted lint validate bench evaluate diet peers-env clean \
    bench-env bench-throughput bench-growth bench-publish bench-desk bench-ingress bench-routing bench-beside \
    bench-imports

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(UV):
	python3 -m venv .uv
	.uv/bin/pip install --quiet 'uv>=0.5'

env: $(UV)  ## Make or update the environment from uv.lock (INSTALL=web or engine: only what runs)
	@$(UV) sync --frozen --quiet --no-default-groups --group $(INSTALL) \
	    $(if $(filter dev,$(INSTALL)),$(if $(wildcard .venv/pruned),--reinstall))
	@$(if $(filter dev,$(INSTALL)),rm -f .venv/pruned,.venv/bin/python deploy/prune.py .venv)

run: env  ## Start everything; ends with a list of addresses
	@$(RUN) python -m bot serve

train: env  ## Train the dialogue model (content needs no training)
	$(RUN) rasa train

fitted: env  ## Refit the shipped sentiment model after a change of data/sentiment
	$(RUN) python -m bot.understanding.mood.fitted

validate: env  ## Check content and training data
	$(RUN) python -m bot content validate
	$(RUN) rasa data validate

lint: env  ## Style and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

test: env  ## All tests; first the models are prepared, which no test's time limit allows for
	@$(RUN) python -m bot prepare
	$(RUN) pytest $(ARGS)

peers-env: $(UV)  ## Build the environment of other language detectors (170 MB)
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-peers $(UV) sync --frozen --quiet --project benchmarks/peers

chaos: env  ## The long fault test: 5,000 deliveries while processes die (about 10 minutes)
	$(RUN) python tests/faults/chaos.py $(ARGS)

audit: env  ## Look the locked libraries up among known advisories, where the data can be had
	@$(RUN) python deploy/audit.py $(UV)

attack: env  ## What a stranger may try, against a system started for it (about 4 minutes)
	$(RUN) python tests/faults/attack.py $(ARGS)

evaluate: env peers-env  ## Measure the understanding on public data (EVAL=folder) into docs/quality.md
	$(RUN) python -m benchmarks.quality

diet: bench-env  ## Train Rasa's DIET on the same rows, to stand beside ours in docs/quality.md
	$(RUN) python -m benchmarks.diet

bench-env: env  ## Build the environment of Rasa as it comes, with TensorFlow (2.7 GB)
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-vanilla $(UV) sync --frozen --quiet --project benchmarks/vanilla

bench: bench-env  ## Measure everything into docs/speed.md (ARGS=--quick to try it out)
	$(RUN) python -m benchmarks.run $(ARGS)

bench-throughput bench-growth: bench-env  ## One part of it
bench-throughput bench-growth bench-publish bench-desk bench-ingress bench-routing bench-beside \
    bench-imports: env
	$(RUN) python -m benchmarks.$(@:bench-%=%) $(ARGS)

clean:  ## Remove what can be made again; keeps the state folder
	rm -rf models .rasa results .pytest_cache .mypy_cache .ruff_cache
