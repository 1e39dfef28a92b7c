# Needs nothing but make, a shell and a package manager: the scripts install what is missing.
.DEFAULT_GOAL := help
.PHONY: help demo recording test test-fast e2e answers e2e-full dialogs versions soak soak-recovery comeback fuzz bench docs lint format types install clean

python := .venv/bin/python
scripts := .ci/run $(wildcard scripts/*)
PROGRAMS ?= claude claude_settings codex gemini opencode aider interleaved team attention \
	recovery recovery_codex recovery_others freeze resurrect
WORKERS ?= 2
e2e := $(PROGRAMS:%=tests/e2e/test_%.py)
# They wait for the next full minute, several times.
slow := $(if $(filter file,$(origin PROGRAMS)),tests/e2e/test_limits.py)

help: ## Say what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name does; \
		do printf '  make %-14s %s\n' $$name "$$does"; done

demo: ## Show a message delivered to an agent, with proof
	@scripts/demo

recording: ## Play a session with three demo agents in tmux, and write its film, docs/demo.svg
	@scripts/prepare dev
	@$(python) docs/recording.py

test: ## Run the tests that need no agent program
	@scripts/test

test-fast: ## The same in under two minutes, without the slow ones, which it names
	@scripts/test --fast

e2e: ## Prove it on the real agent programs (installs them into a cache); PROGRAMS=codex, WORKERS=3
	@scripts/prepare dev
	$(python) -m pytest -m e2e $(e2e) -n $(WORKERS) --dist loadfile

answers: ## Answer dialogs of the real programs that others replace meanwhile; ROUNDS=300, SEED=5, KEPT=DIRECTORY to go on with, PROGRAMS=codex
	TORCH_E2E_ANSWERS=$(or $(ROUNDS),300) $(SEED:%=TORCH_E2E_SEED=%) $(KEPT:%=TORCH_E2E_KEPT=%) \
		$(python) -m pytest -m e2e $(e2e) -k falls_to_no_dialog -n $(WORKERS) --dist loadfile

e2e-full: ## The same with as many messages as a claim needs, and documents in docs/; takes hours
	@scripts/prepare dev
	TORCH_E2E=full $(python) -m pytest -m e2e $(e2e) $(slow) -n $(WORKERS) --dist loadfile

dialogs: ## Open ROUNDS=300 dialogs around messages in CONFIG="vim, classic", or all, and write docs/dialogs.md
	@scripts/prepare dev
	PYTHONPATH=src:tests $(python) -m e2e.dialogs --rounds $(or $(ROUNDS),300) "$(or $(CONFIG),all)"

versions: ## Prove the last published versions and write docs/versions.md; COUNT=1 for the newest
	@scripts/prepare dev
	PYTHONPATH=src:tests $(python) docs/versions.py --count $(or $(COUNT),10) \
		$(filter claude codex gemini opencode kilo aider qwen,$(PROGRAMS))

soak: ## Send for MINUTES=5 while all goes wrong, and count; SEED=N repeats, CLAUDE=no is quicker
	@scripts/prepare dev
	PYTHONPATH=tests $(python) -m soak --minutes $(or $(MINUTES),5) --seed "$(SEED)" \
		$(if $(filter no,$(CLAUDE)),--no-claude)

soak-recovery: ## Kill EVENTS=200 things, one after the other, and count what came back wrong; SEED=N repeats, CLAUDE=2 real ones
	@scripts/prepare dev
	PYTHONPATH=tests $(python) -m soak.recovery --events $(or $(EVENTS),200) --seed "$(SEED)" \
		--claude $(or $(CLAUDE),0)

comeback: ## Take all from real Claude Codes in three ways, and say how soon they are back; AGENTS=8, RUNS=3, CASES=reboot
	@scripts/prepare dev
	PYTHONPATH=src:tests $(python) -m e2e.comeback --agents $(or $(AGENTS),8) --runs $(or $(RUNS),3) $(CASES)

fuzz: ## Read 100,000 torn screens of dialogs; none may be taken for an idle one
	@scripts/prepare dev
	TORCH_FUZZ=100000 $(python) -m pytest -s tests/test_dialog_fuzz.py

bench: ## Measure, and print the tables of docs/speed.md
	@scripts/prepare dev
	$(python) -m benchmarks

docs: ## Make the docs a site, build/site; warnings and dead links are errors
	@scripts/prepare dev
	@$(python) docs/reference.py --write
	@$(python) -m pip install -q --disable-pip-version-check -c constraints.txt \
		--build-constraint constraints.txt -e '.[docs]'
	$(python) -m mkdocs build

lint: ## Look for mistakes and bad form, in Python and in the scripts
	@scripts/prepare dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	@if command -v shellcheck >/dev/null; then echo "shellcheck $(scripts)"; shellcheck $(scripts); \
		else echo "shellcheck is not installed: the scripts were not checked"; test -z "$(CI)"; fi

format: ## Bring the code into form
	@scripts/prepare dev
	$(python) -m ruff format
	$(python) -m ruff check --fix

types: ## Check the types, strictly
	@scripts/prepare dev
	$(python) -m mypy

install: ## Put torch on your PATH for good
	@scripts/install

clean: ## Remove what the above have made here
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
