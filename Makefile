# A newcomer needs `make run` and `make test`; the rest is maintenance, listed by `make help`.
PYTHON ?= python3
# Programs run as modules of .venv's Python: scripts name its absolute path, which ends at a space or moves away.
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --durations=10
COVERED := --cov --cov-append --cov-report= --cov-fail-under=0
THREE := --numprocesses 3 --dist loadfile
EACH := --numprocesses 2 --dist worksteal
IDLE := --numprocesses 3 --dist loadgroup
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Locks contain hashes, extras and no index address; --universal makes one lock work for every Python and machine. A lock
# keeps its versions, whatever is newest today, until UPGRADE asks for others.
LOCK := .lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-header --no-annotate $(if $(UPGRADE),$(if $(filter all,$(UPGRADE)),--upgrade,\
	$(addprefix --upgrade-package ,$(UPGRADE))))

.DEFAULT_GOAL := help
.PHONY: help run test lint bench bench-quick lab lab-down lab-ssh chaos failover tools docs runbook release lock audit stopped clean clean-data

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

run: .venv/dev ## serve the intake on this machine until Ctrl-C (PORT=8001 for another port)
	$(BIN)/python -m leadgen dev $(if $(PORT),--port '$(PORT)')

# Quick kinds first, each with a count and its ten slowest; coverage is measured over all of them together. THREE keeps
# each file in one process, because files share what is expensive to set up. Tests that race with a clock are marked, and
# run without the others; those of chaos mostly wait, so three of them run side by side.
test: lint ## check the code and run every test (EVERY=1 for more examples)
	$(BIN)/python -m coverage erase
	$(PYTEST) $(COVERED) tests/unit
	$(PYTEST) $(COVERED) tests/conventions
	$(PYTEST) $(EACH) tests/requirements
	$(PYTEST) $(THREE) tests/deploys
	$(PYTEST) $(COVERED) $(THREE) -m 'not alone' tests/integration
	$(PYTEST) $(COVERED) -m alone tests/integration
	$(BIN)/python -m coverage report
	$(PYTEST) tests/bench
	$(PYTEST) $(EACH) -m 'not alone' tests/chaos
	$(PYTEST) $(IDLE) -m alone tests/chaos
	$(PYTEST) $(THREE) --no-loadscope-reorder tests/lab

lint: .venv/test ## check style, types and shell
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m tests.shell

lab: .venv/test ## make a throw-away lab host and deploy everything on it (root, Debian)
	$(BIN)/python -m tests.lab platform

lab-down: .venv/test ## remove all lab hosts and every trace of them
	$(BIN)/python -m tests.lab down --all

lab-ssh: .venv/test ## open a shell on the lab host
	$(BIN)/python -m tests.lab ssh

chaos: .venv/test ## break the intake while leads come in, and count the leads (SEED=1 FAULTS=50 N=10000 MINUTES=60 RECORD=1 CONTROL=…)
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(N),--requests $(N)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) \
		$(if $(RECORD),--record) $(if $(CONTROL),--control $(CONTROL))

failover: .venv/test ## lose the leader of two databases while leads come in, and count the leads (SEEDS=20)
	$(BIN)/python -m tests.chaos.failover $(if $(SEEDS),--seeds $(SEEDS))

tools: .venv/deploy ## install what an operator needs to run pages

runbook: .venv/test ## write docs/RUNBOOK.md from the pages
	$(BIN)/python -m deploys.kit.plan.runbook_page

docs: .venv/test ## write the reference pages from the code
	$(BIN)/python docs/reference/write.py

bench: .venv/test .bench/made ## measure the speed table beside the peers and write docs/reference/speed.md (half an hour)
	$(BIN)/python -m tests.bench --json docs/reference/speed.json
	$(BIN)/python -m tests.bench.page
	.bench/bin/python -m tests.bench.plot

bench-quick: .venv/test ## measure the rows that need no peer, within a minute
	$(BIN)/python -m tests.bench --quick --json .bench/quick.json

release: .venv/deploy ## record for good what the manifest's release is (NAME=prod-2)
	$(BIN)/python -m deploys.history.history keep $(NAME)

# The largest lock comes first; the others take its versions, so that what runs is what was tested.
lock: .lock/made ## write the locks in requirements/ from pyproject.toml (UPGRADE=flask, or UPGRADE=all, for newer versions)
	$(LOCK) pyproject.toml --extra deploy --extra dev --extra test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --constraint requirements/test.txt --output-file requirements/runtime.txt
	$(LOCK) --group build --constraint requirements/test.txt --output-file requirements/build.txt
	$(LOCK) --group bench --constraint requirements/test.txt --output-file requirements/bench.txt
	$(LOCK) --group lock --output-file requirements/lock.txt
	$(LOCK) --group audit --output-file requirements/audit.txt
	$(LOCK) pyproject.toml --constraint requirements/test.txt --extra dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --constraint requirements/test.txt --extra deploy --output-file requirements/deploy.txt

audit: .venv/test .audit/made ## compare the locks with known advisories, if their database can be reached (SECONDS=20)
	$(BIN)/python -m tests.audit $(if $(SECONDS),--seconds $(SECONDS))

# The running profile holds this lock, whose first line is its process.
stopped:
	@[ ! -e .dev/lock ] || flock --nonblock .dev/lock true || { echo "make: process $$(head -n 1 .dev/lock)" \
		'runs the intake in this folder; stop it first, with Ctrl-C in its terminal' >&2; exit 1; }

clean: stopped ## remove what is installed and cached: .venv/, .audit/, .bench/, .lock/ (.dev/ stays, with its leads)
	rm -rf .venv .audit .bench .lock .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis

clean-data: stopped ## remove .dev/ with all its leads; asks first (YES=1 to remove it without a question)
	@[ -e .dev ] || exit 0; \
	[ -n '$(YES)' ] || { [ -t 0 ] || { echo 'make: clean-data asks before it removes leads, and' \
		'this is not a terminal; if you mean it: make clean-data YES=1' >&2; exit 1; }; \
		printf 'Remove .dev/ with all its leads? [y/N] '; read -r answer; \
		case "$$answer" in [yY] | [yY][eE][sS]) ;; *) echo 'Nothing was removed.'; exit 0 ;; esac; }; \
	case "$$(readlink .dev/postgres/elsewhere)" in /var/lib/motorcade-dev/?*) \
		rm -rf "$$(readlink .dev/postgres/elsewhere)";; esac; \
	rm -rf .dev

# One environment, filled as far as each command needs; each of these files marks a finished step.
.venv/dev .venv/test: .venv/%: requirements/%.txt pyproject.toml .venv/made
	@echo 'Installing $< into .venv; the first time this takes a minute or two.'
	@$(PIP) --no-deps --require-hashes --requirement $<
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# The pages need no package of ours: pyinfra runs them from the repository.
.venv/deploy: requirements/deploy.txt .venv/made
	@echo 'Installing $< into .venv.'
	@$(PIP) --no-deps --require-hashes --requirement $<
	@touch $@

# Separate environments: other frameworks and queues, whose versions must not mix with ours; what writes the locks; and
# what audits them.
.audit/made .bench/made .lock/made: .%/made: requirements/%.txt
	@echo 'Installing $< into .$*; this takes a minute at most.'
	@$(PYTHON) -m venv --clear .$*
	@.$*/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes --requirement $<
	@touch $@

# Why .venv must be created again: it works in one folder only; and a PYTHON that is asked for is the one that is used.
UNFIT := $(shell [ ! -e .venv/made ] || case "$$(sed -n 's/^command = //p' .venv/pyvenv.cfg)" in \
	(*" $$(pwd -P)/.venv") $(if $(filter file,$(origin PYTHON)),,[ "$$(sed -n 's/^executable = //p' .venv/pyvenv.cfg)" = \
	"$$($(PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')" ] || echo 'is of another Python') ;; \
	(*) echo 'was created in another folder' ;; esac)

.venv/made: $(if $(UNFIT),stopped)
	@$(if $(UNFIT),echo '.venv $(UNFIT) and is created again.')
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		'make: $(PYTHON) is not Python 3.11 or newer; name one: make run PYTHON=python3.13' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
		'make: $(PYTHON) cannot create virtual environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@
