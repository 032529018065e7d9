# Each target builds .venv from requirements.lock first, when it is missing or older than the lock.

PYTHON  ?= python3
EXTRAS  ?=
PROFILE ?= quick
ONLY    ?=
MODELS  ?=
SEEDS   ?= 0
CORES   ?= 2
CLUSTER ?=
ARGS    ?=

VENV := .venv/bin
# Two jobs share the cores: one thread each, which also keeps sums in one order.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLBACKEND ?= Agg

.PHONY: help setup reproduce train test check lint lock site pdf
help:
	@echo 'make setup                 build .venv from requirements.lock (PYTHON=python3.12 chooses the interpreter)'
	@echo '     EXTRAS=core           the library alone; or some extras of pyproject.toml, as notebooks,deblurring'
	@echo 'make reproduce             run all notebooks, draw all figures, judge all claims (PROFILE=quick)'
	@echo '     PROFILE=paper         the sizes of the paper: wants a GPU and hours'
	@echo '     ONLY=01,04            only these notebooks'
	@echo '     CLUSTER=slurm         as jobs of a cluster: see workflow/README.md'
	@echo 'make train                 train what is not trained yet, then record what the models do (PROFILE=quick)'
	@echo '     PROFILE, CLUSTER      as above; MODELS=deblurring,stories/stories SEEDS=0,1 choose'
	@echo '     ARGS=--dry-run        only list the trainings, with sizes and hours'
	@echo 'make test                  tests of the library and of the notebooks'
	@echo 'make check                 format, lint, types and unit tests: the quick loop of a contributor'
	@echo 'make site                  build/site/html: notebooks, verdicts, gallery and library as web pages (needs node)'
	@echo 'make pdf                   build/site/equilibria.pdf: the same to print (needs chromium)'
	@echo 'make lint                  format, lint and types alone'
	@echo 'make lock                  compile requirements.lock anew from pyproject.toml, keeping the pins that still fit'

# With EXTRAS another file says what is installed: a smaller environment is not taken for the whole.
comma := ,
INSTALLED := .venv/.installed$(if $(EXTRAS),-$(subst $(comma),-,$(EXTRAS)))

setup: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "Python 3.11 or 3.12 is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1): make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) workflow/setup.py --extras '$(EXTRAS)'
	@touch $@

# Every notebook runs twice in CI, and each run proves something else.
# `reproduce` executes it by papermill as a batch job: with the parameters of a profile, from the
# project's folder, without ports. The claims are judged by what it writes to figures/.
# `test` executes the stored file by nbval as a reader does who opens it and runs all cells: with
# its own defaults, from its own folder, in a kernel as Jupyter starts it. Its asserts must hold, and
# a cell marked NBVAL_CHECK_OUTPUT must give the output that is stored. Its results go to build/.
# nbval has no option that would let it take over the copies which `reproduce` executed.

# A copy under build/ appears only when its last cell has run. So what is there is complete,
# whatever snakemake has noted about a run that was killed. The same holds for a training's card.
SNAKEMAKE := $(VENV)/snakemake --nolock --ignore-incomplete --keep-going \
  $(if $(CLUSTER),--profile workflow/profiles/$(CLUSTER),--cores $(CORES)) $(ARGS)

reproduce: $(INSTALLED)
	@PROFILE='$(PROFILE)' ONLY='$(ONLY)' $(SNAKEMAKE) $(if $(ARGS)$(CLUSTER),,--quiet all)

# A finished training stays finished, whatever was edited since: its times alone count.
train: $(INSTALLED)
	@PROFILE='$(PROFILE)' MODELS='$(MODELS)' SEEDS='$(SEEDS)' $(SNAKEMAKE) \
	  --rerun-triggers mtime --quiet host progress -- train

# The notebooks are the longest files. They come first, so that both cores are busy to the end.
test: $(INSTALLED)
	@EQUILIBRIA_FIGURES=$(CURDIR)/build/test-figures $(VENV)/python -m pytest \
	  --nbval-lax --nbval-cell-timeout 600 \
	  -n $(CORES) --dist loadfile --no-loadscope-reorder -q notebooks tests lib

lint: $(INSTALLED)
	@$(VENV)/ruff format --check --quiet . || { echo 'run `.venv/bin/ruff format .`'; exit 1; }
	@$(VENV)/ruff check --quiet .
	@$(VENV)/mypy

# Whole commands, notebooks and trainings are marked `end_to_end` and left to `make test`.
check: lint
	@$(VENV)/python -m pytest -n $(CORES) --dist loadfile -q -m 'not gpu and not slow and not data and not end_to_end' lib tests

# A warning is an error here: most of them are links that lead nowhere.
SPHINX := $(VENV)/sphinx-build --quiet --fail-on-warning --keep-going -c docs build/site/source
site: $(INSTALLED)
	@$(VENV)/python docs/site_sources.py build/site/source
	@$(SPHINX) -b html build/site/html
	@echo 'open build/site/html/index.html'

CHROMIUM ?= chromium
pdf: site
	@command -v $(CHROMIUM) > /dev/null || { echo 'make pdf needs Chromium: apt-get install chromium, or make pdf CHROMIUM=another'; exit 1; }
	@$(SPHINX) -b singlehtml build/site/single
	@rm -f build/site/equilibria.pdf
	@$(CHROMIUM) --headless --no-sandbox --disable-gpu --no-pdf-header-footer --virtual-time-budget=20000 \
	  --print-to-pdf=build/site/equilibria.pdf build/site/single/index.html 2>/dev/null
	@test -s build/site/equilibria.pdf && echo 'open build/site/equilibria.pdf'

lock: $(INSTALLED)
	$(VENV)/python -m pip install --quiet pip-tools
	$(VENV)/pip-compile --quiet --all-extras --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --output-file requirements.lock pyproject.toml
