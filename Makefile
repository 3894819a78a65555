# Two commands matter: `make demo` and `make test`. Both need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
EXTRAS ?= test
WORKERS ?= 4
# Room for what tests write (2 GB) beside what they compute with; empty where that is not here (a container's /dev/shm is
# often small), and the disk is taken.
IN_MEMORY := $(shell [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'END { print $$4 }')" -gt 6000000 ] \
               && awk '/^MemAvailable/ && $$2 > 12000000 { print "/dev/shm" }' /proc/meminfo)
# What the environment was made for: other extras, or a change of what they are made from, make it anew.
comma  := ,
STAMP  := $(VENV)/.made-$(subst $(comma),-,$(EXTRAS))
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo serve test check lint types contracts browser nightly fuzz bench docs web sbom audit clean

demo: $(VENV)/.made-core ## set up all that is needed and run the main job
	$(BIN)/isocenter demo $(ARGS)

serve: $(VENV)/.made-core
	$(BIN)/isocenter serve $(ARGS)

# The browser driver keeps an event loop of its own for the whole process, so those tests have a process to themselves;
# two of them take as long, since pictures drawn without a graphics card keep both cores busy.
# Servers, a browser and workers share two cores: what fails once is asked once more, and the end says that it was (-rR).
# Much of a test is waiting for another process, so that four at a time keep two cores busy. What tests write goes to
# memory where there is enough of it, since every archive waits for its flushes: the tests of power cuts have a disk of
# their own that forgets, and the one that kills receivers keeps the disk.
test browser: export PYTEST_DEBUG_TEMPROOT := $(IN_MEMORY)
# Four workers share the cores: a second thread of the arithmetic of one would wait for the others at every product.
# Each of four workers would rewrite the assertions of every file for itself: two halves are read once before them.
test: $(STAMP) check ## checks, then every test
	@$(BIN)/python -m pytest --collect-only -q -m "not browser" tests/[a-f]* >/dev/null 2>&1 & \
	  $(BIN)/python -m pytest --collect-only -q -m "not browser" tests/[g-z]* >/dev/null 2>&1; wait
	OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not browser and not nightly" \
	  --reruns 1 -rR $(ARGS)
	$(BIN)/python -m pytest -m "browser and not slow" --reruns 1 -rR tests/browser $(ARGS)

check: lint contracts types ## ruff, import contracts, mypy strict

lint: $(STAMP)
	$(BIN)/ruff check src tests benchmarks hatch_build.py
	$(BIN)/ruff format --check src tests benchmarks hatch_build.py

contracts: $(STAMP)
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy --num-workers 2

browser: $(STAMP) ## every browser test, the long ones too
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

# A run that was cut off goes on with what has not passed with this code; `rm artefacts/night.jsonl` begins anew.
# Of what is many the day takes a share: seven of the twenty hostile members of each class, every third trap, 300 kills,
# three odd requests to each operation, one full comparison of the twins, and of one guard or property tried with many
# values those that differ most (of two paddings, midnights, databases or noises each once, not each with each; one of
# two like patients); the night takes all of it, or the others.
nightly: $(STAMP) ## what takes minutes: 10,000 kills, millions of guesses, tens of thousands of planted words
	ISOCENTER_NIGHT=$(CURDIR)/artefacts/night.jsonl $(BIN)/python -m pytest -m nightly --timeout=3600 $(ARGS)

fuzz: $(VENV)/.made-core ## look for inputs that break a reader, by coverage (Linux); ARGS="--seconds 3600 parser"
	$(BIN)/uv pip install --python $(BIN)/python --quiet atheris || $(BIN)/pip install --quiet atheris
	$(BIN)/python tests/fuzz/run_fuzz.py $(ARGS)

bench: $(STAMP) ## speed, beside peers where they are installed
	for b in benchmarks/bench_*.py; do $(BIN)/python $$b || exit 1; done

web: $(VENV)/.made-core ## build the pages again after a change under web/
	$(call install,.,--compile-bytecode)

sbom: $(VENV)/.made-core ## bill of materials of this installation (CycloneDX)
	$(BIN)/isocenter sbom sbom.cdx.json --lock web/package-lock.json

audit: $(STAMP) ## known faults of every component, asked of PyPI and npm; fails where they do not answer for all
	$(PYTHON) -m venv artefacts/audit && artefacts/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/isocenter sbom artefacts/audit/bill.json --lock web/package-lock.json
	$(BIN)/python -c "import json; [print(c['name'], c['version'], sep='==') for c in json.load(open('artefacts/audit/bill.json'))['components'] if c['purl'].startswith('pkg:pypi/')]" > artefacts/audit/pypi.txt
	artefacts/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement artefacts/audit/pypi.txt
	cd web && npm audit --omit=dev --audit-level=high

docs: $(VENV)/.made-core ## the generated pages of the manual
	$(BIN)/isocenter manual docs/look-up

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

# uv is ten times faster than pip but knows nothing of pip's configuration; where it finds no index, pip does the work.
$(VENV)/.made-core: pyproject.toml hatch_build.py web/package-lock.json | $(VENV)/bin/uv
	$(call install,.,--compile-bytecode)
	touch $@

# A demonstration is waited for, so all that it may load is compiled before. Tests load a third of what they install, and
# what they do load is compiled when it is first read.
$(STAMP): pyproject.toml hatch_build.py web/package-lock.json | $(VENV)/bin/uv
	$(call install,.[$(EXTRAS)])
	touch $@ $(VENV)/.made-core

define install
	UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(BIN)/uv pip install --python $(BIN)/python $(2) --quiet -e '$(1)' \
	  || $(BIN)/pip install --quiet --disable-pip-version-check $(if $(2),,--no-compile) -e '$(1)'
endef

clean:
	rm -rf $(VENV) dist build artefacts src/isocenter/doors/web web/node_modules
