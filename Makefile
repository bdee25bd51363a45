# `make demo` and `make test` each make their own environment, from Python >= 3.11 and the lock file alone.
PYTHON ?= python3
VENV ?= .venv
LOCK ?= requirements/dev.txt
BIN = $(VENV)/bin
STAMP = $(VENV)/.ready-$(notdir $(LOCK))

# A PYTHONPATH from outside could shadow what is locked.
unexport PYTHONPATH

.PHONY: help env demo test lint types imports unit coverage mutants test-lowest dist test-dist test-wheel test-sdist
.PHONY: exactness chaos chaos-killed chaos-full chaos-raced chaos-lied conformance conformance-downstream conformance-sky
.PHONY: conformance-api conformance-methods accuracy docs diagrams figures bench lock upgrade clean

help:
	@echo "make demo         simulate a small archive in ./mvmdb-demo and run two nights on it"
	@echo "make test         lint, types, import contracts and tests"
	@echo "make coverage     the tests, and how many lines they reach"
	@echo "make mutants      changes of the code that must make a test fail, as tools/mutants.toml lists them"
	@echo "make test-lowest  the tests on the lowest versions that pyproject.toml allows"
	@echo "make dist         the source distribution and the wheel, in dist/"
	@echo "make test-dist    both, tested: a demonstration with the wheel, all tests of the unpacked source distribution"
	@echo "make exactness    memberships of 200,000 footprints against brute force (4 minutes)"
	@echo "make chaos        all of what follows, with SEED=N"
	@echo "make chaos-raced  four commands at once, from several hosts, on one archive: each layer is made once (15 minutes)"
	@echo "make chaos-killed  kills commands a thousand times, lets each write fail, and compares what the next run leaves (1 hour)"
	@echo "make chaos-full   a night on a disk with room for 0 KiB, 4 KiB, 8 KiB and so on, and on one that is read-only (1 minute)"
	@echo "make chaos-lied  reads FILES=10000 mutated exposures and mosaics: each is taken rightly or refused (5 minutes)"
	@echo "make conformance  mosaics of real and simulated exposures against drizzlepac 3.11 in its own environment (30 minutes)"
	@echo "make conformance-sky  every sky cell's WCS, and known misses, against drizzlepac 3.11 in its own environment"
	@echo "make conformance-downstream  drizzlepac 3.11 on what mvmdb stages on two nights, and mvmdb on what drizzlepac writes (4 minutes)"
	@echo "make conformance-api  signatures, attributes and parameter sets against drizzlepac 3.11 in its own environment (seconds)"
	@echo "make conformance-methods  mosaics of the method mvmdb against those of hap, in docs/conformance.md (5 minutes)"
	@echo "make accuracy     how accurate mosaics are, beside drizzlepac's: the tables and figures of docs/accuracy.md (7 minutes)"
	@echo "make docs         the generated parts of pages, and the documentation site in build/site (1 minute)"
	@echo "make diagrams     pictures of the pages' diagrams, after one has changed (needs npm and Chromium)"
	@echo "make figures      the figures of README and docs, from the archive that make demo made"
	@echo "make bench        how fast it is here"
	@echo "make lock         add to requirements/ what pyproject.toml asks for anew (needs uv)"
	@echo "make upgrade      choose new versions for all of requirements/ (needs uv)"

env: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mvmdb needs Python 3.11 or newer; '$(PYTHON)' is not. Say: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: env
	rm -rf mvmdb-demo
	$(BIN)/mvmdb demo mvmdb-demo

test: lint types imports unit

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: env
	$(BIN)/mypy

imports: env
	$(BIN)/lint-imports

# The tests start mvmdb a thousand times: compiled once, it is not compiled by each where PYTHONDONTWRITEBYTECODE is set.
unit: env
	$(BIN)/python -m compileall -q mvmdb
	$(BIN)/python -m pytest $(COVERAGE)

# The total is printed, and must not be below fail_under in pyproject.toml; `coverage report` then tells more. It has a
# target of its own, as below Python 3.12 a tracer makes the tests of databases take 1.7 times as long.
coverage:
	COVERAGE_CORE=$(shell $(PYTHON) -c 'import sys; print("ctrace" if sys.version_info < (3, 12) else "sysmon")') \
	  $(MAKE) unit COVERAGE="--cov --cov-report="

mutants: env
	$(BIN)/python tools/mutants.py

test-lowest:
	$(MAKE) unit VENV=.venv-lowest LOCK=requirements/lowest.txt

# The wheel is built from the source distribution, which is thereby complete. Nothing is fetched.
dist: env
	rm -rf dist
	$(BIN)/hatchling build -t sdist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz

test-dist: test-wheel test-sdist

# Constraints may not name extras. Only what the wheel asks for is installed, at the locked versions; the demonstration uses every file of data in it.
test-wheel: dist
	rm -rf build/wheel
	$(PYTHON) -m venv build/wheel
	sed -n 's/^\([^][ #=]*\)\(\[[^]]*\]\)\{0,1\}\(==[^\\]*\).*/\1\3/p' requirements/dev.txt > build/wheel/constraints.txt
	build/wheel/bin/python -m pip install --quiet --only-binary :all: -c build/wheel/constraints.txt dist/*.whl
	cd build/wheel && bin/mvmdb demo demo

test-sdist: dist
	rm -rf build/sdist
	mkdir -p build/sdist
	tar -xzf dist/*.tar.gz -C build/sdist --strip-components 1
	MVMDB_SHARED="$${MVMDB_SHARED:-$(abspath ../shared)}" $(MAKE) -C build/sdist unit VENV=.venv

# PYTHONPATH is for these recipes alone: what the tests share lies in tests/.
exactness: env
	PYTHONPATH=tests $(BIN)/python -m exactness.compare

# Each stops at the first difference, and keeps the folder of that archive. SEED draws other kills.
KILLS ?= --kills 1000 --postgres-kills 200
SEED ?= 1
chaos: chaos-killed chaos-full chaos-raced chaos-lied

chaos-killed: env
	PYTHONPATH=tests $(BIN)/python -m chaos.long $(KILLS) --seed $(SEED)

# On Linux: a file system in memory is mounted in a namespace that nothing else sees.
chaos-full: env
	folder=$$(mktemp -d) && PYTHONPATH=tests unshare --user --map-root-user --mount $(BIN)/python -m chaos.full_disk $$folder --step 4 \
	  && rmdir $$folder

ROUNDS ?= 20
chaos-raced: env
	PYTHONPATH=tests $(BIN)/python -m chaos.racing --rounds $(ROUNDS) --seed $(SEED)

FILES ?= 10000
chaos-lied: env
	PYTHONPATH=tests $(BIN)/python -m chaos.lied.long --files $(FILES) --seed $(SEED)

CONFORMANCE = .venv-conformance
$(CONFORMANCE)/.ready: conformance/requirements.txt
	rm -rf $(CONFORMANCE)
	$(PYTHON) -m venv $(CONFORMANCE)
	$(CONFORMANCE)/bin/python -m pip install --quiet -r conformance/requirements.txt
	touch $@

# SETS="ers acs uvis wfpc2" are the sets of exposures; WORK names a folder that keeps all files, else none is kept.
SETS ?= ers acs uvis wfpc2
conformance: env $(CONFORMANCE)/.ready
	PYTHONPATH=tests $(BIN)/python -m conformance.pixels.run --peer $(CONFORMANCE)/bin/python $(if $(WORK),--work $(WORK)) $(SETS)
	$(MAKE) conformance-api conformance-downstream

conformance-downstream: env $(CONFORMANCE)/.ready
	$(BIN)/python -m conformance.downstream.run --peer $(CONFORMANCE)/bin/python $(if $(WORK),--work $(WORK))

conformance-api: $(CONFORMANCE)/.ready
	PYTHONPATH=tests $(CONFORMANCE)/bin/python -m conformance.api.compare

conformance-methods: env
	PYTHONPATH=tests:tools $(BIN)/python -m conformance.pixels.methods $(SETS)

# PARTS="flux skies cells growth shallow place errors" are the parts; each writes its own tables and figures.
PARTS ?=
accuracy: env $(CONFORMANCE)/.ready
	PYTHONPATH=tests:tools $(BIN)/python -m conformance.accuracy.run --peer $(CONFORMANCE)/bin/python $(PARTS)

conformance-sky: $(CONFORMANCE)/.ready
	$(CONFORMANCE)/bin/python -m conformance.sky.compare_wcs
	PYTHONPATH=tests $(CONFORMANCE)/bin/python -m conformance.sky.known_misses

# The demonstration is made first (make demo): the figures show its archive.
figures: env
	$(BIN)/python tools/figures.py mvmdb-demo

# Generated parts of pages first, then the site, in which a warning is an error.
docs: env
	$(BIN)/python tools/schema_page.py
	$(BIN)/python tools/python_page.py
	$(BIN)/python tools/docs_site.py -o $(SITE)
SITE ?= build/site

diagrams: env
	$(BIN)/python tools/diagrams.py

bench: env
	for script in bench/*.py; do echo "== $$script" && $(BIN)/python $$script || exit 1; done

# No URL may enter the locks: they hold names, versions and hashes, and work with any package index.
COMPILE = uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
  --only-binary :all: --no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-strip-extras $(UPGRADE)
lock:
	$(COMPILE) -o requirements/dev.txt
	$(COMPILE) --resolution lowest-direct -o requirements/lowest.txt

upgrade:
	$(MAKE) lock UPGRADE=--upgrade

clean:
	rm -rf .venv .venv-lowest .venv-conformance build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
