# Two commands do all the set-up on a machine with Python 3.11 or newer: `make demo` and `make test`.
# uv is used where it is there (faster), else pip. torch and torchvision are pinned as a pair in a file of their own:
# a GPU user puts another pair into constraints-torch.txt.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
PINS   := -c constraints.txt -c constraints-torch.txt
ifdef UV
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python
NEWVENV := $(UV) venv --quiet --python $(PYTHON)
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NEWVENV := $(PYTHON) -m venv
endif

.PHONY: demo test train-demo lint services notebooks docs benchmarks bench-model bench-land bench-credit clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed ## run the packaged real region from scenes to limits
	$(BIN)/acreline demo

test: $(VENV)/.installed-dev ## all tests; threads that wait for one another sleep, or two processes on two busy cores stand still
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -n 2 --dist loadgroup

train-demo: $(VENV)/.installed-dev ## train the smallest network and report it on the demo square: under 15 minutes on two cores
	$(BIN)/acreline train acrenet-xs --out runs/train-demo
	$(BIN)/acreline evaluate runs/train-demo/acrenet-xs.yaml

lint: $(VENV)/.installed-dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

services: .venv-stac/.installed .venv-readers/.installed ## a real STAC API and others' readers of exports, for the service tests (needs Debian's PostgreSQL and PostGIS beside it)

notebooks: $(VENV)/.installed-dev ## make each .ipynb again from its .py
	$(BIN)/jupytext --to ipynb --update notebooks/*.py

docs: $(VENV)/.installed-dev ## guide and reference as a site that needs no network, in runs/docs/site/
	$(BIN)/python docs/build.py

benchmarks: $(VENV)/.installed-dev ## ratios in one run; results in benchmarks/results/
	for script in $(filter-out benchmarks/model.py benchmarks/land.py benchmarks/front_page.py benchmarks/teach_rivals.py benchmarks/credit.py benchmarks/credit_speed.py benchmarks/pages.py benchmarks/promise_again.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done

bench-model: $(VENV)/.installed-dev ## the model against its targets and rivals; more by ARGS="--seeds DIR --rivals DIR"
	$(BIN)/python benchmarks/model.py $(ARGS)

bench-land: $(VENV)/.installed-dev ## acreage, dates, events and harvests of simulated counties beside their truth
	$(BIN)/python benchmarks/land.py $(ARGS)

bench-credit: $(VENV)/.installed-dev ## reasons, monotone limits, doubt, small plots, replay; then a million farms
	$(BIN)/python benchmarks/credit.py $(ARGS)
	$(BIN)/python benchmarks/credit_speed.py --policy china

clean:
	rm -rf $(VENV) .venv-stac .venv-readers runs

$(VENV)/bin/python:
	$(NEWVENV) $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt constraints-torch.txt
	$(INSTALL) $(PINS) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) $(PINS) -e '.[dev]'
	touch $@

.venv-stac/bin/python:
	$(subst $(VENV),.venv-stac,$(NEWVENV)) .venv-stac

.venv-stac/.installed: .venv-stac/bin/python constraints-stac.txt
	$(subst $(VENV),.venv-stac,$(INSTALL)) -c constraints-stac.txt stac-fastapi-pgstac 'pypgstac[psycopg]' uvicorn
	touch $@

.venv-readers/bin/python:
	$(subst $(VENV),.venv-readers,$(NEWVENV)) .venv-readers

.venv-readers/.installed: .venv-readers/bin/python constraints-readers.txt
	$(subst $(VENV),.venv-readers,$(INSTALL)) -c constraints-readers.txt fiboa-cli openlineage-python
	touch $@
