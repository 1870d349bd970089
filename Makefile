# One command per chore, the same in CI. `make live` and `make test` install what they need; the second time is fast.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv engines eyes live test test-faults test-media test-soak check format bench docs site clean

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= cpu,dev
ARGS ?=
PY := $(VENV)/bin/python
comma := ,
QUICK := not media and not soak and not faults
# Exit status 5 is pytest's for "nothing chosen": with ARGS one of the two parts may have nothing.
PYTEST = $(PY) tests/run.py -q --words --no-header
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))
# What a bare Debian or Ubuntu lacks: PortAudio for sounddevice, the others for the window support built into OpenCV.
SYSTEM_PACKAGES := libportaudio2 libgl1 libglib2.0-0 libxcb1

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(STAMP) ## install everything into .venv (EXTRAS=gpu,dev on a machine with an NVIDIA GPU)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11; install a newer one and type: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(call apt_install,python3-venv); fi
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing Antiphon ($(EXTRAS)) into $(VENV): about 2.5 GB; the first time this takes some minutes"
	@set -f; install="$(PY) -m pip install --disable-pip-version-check --editable .[$(EXTRAS)]"; \
	  if [ -t 1 ]; then $$install; else $$install --progress-bar off | $(PIP_STEPS); fi
	@if ! $(PY) -c 'import sounddevice, cv2' 2>/dev/null; then $(call apt_install,$(SYSTEM_PACKAGES)); fi
	@if ! $(PY) -c 'import sounddevice, cv2'; then \
	  echo "the system libraries of sound or picture are missing; type: $(call by_hand)" >&2; exit 1; fi
	@touch $@

# Installs packages with apt-get where that is allowed without a question; otherwise one line says what to type.
define apt_install
if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
  as_root=; [ "$$(id -u)" = 0 ] || as_root="sudo -n"; \
  $$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
elif command -v apt-get >/dev/null; then \
  echo "system packages are missing; type: sudo apt-get install $(1)" >&2; exit 1; \
else \
  echo "system libraries are missing; install what your system calls: $(1)" >&2; exit 1; \
fi
endef
# Where no terminal can draw pip's progress bar: a line for each package that is fetched, and one for the installation.
PIP_STEPS = { grep --line-buffered -oE '^(Collecting [^ (]+|Installing collected packages|Successfully installed)|^ +Downloading .*' || true; }
by_hand = sudo apt-get install $(SYSTEM_PACKAGES)

live: engines eyes ## perform: until Ctrl-C in a terminal, else for 20 s (ARGS="--camera 0 ...")
	@length="--duration 20"; if [ -t 0 ]; then length=; fi; exec $(PY) run_live.py $$length $(ARGS)

engines: venv ## the default bundle's networks for ONNX Runtime, where they are missing or stale
	@$(PY) -m export default --if-needed

eyes: venv ## the published networks that see people and instruments, fetched and converted once (the show goes on without them)
	@$(PY) -m export.eyes --if-needed || true

test: engines ## every test but soaks and media (ARGS="tests/unit -k name" to choose)
	@rm -f .coverage .coverage.*
	@echo "Tests that measure no time, two at a time:"
	@OMP_NUM_THREADS=1 $(PYTEST) -n 2 -m "not timed and $(QUICK)" --cov --cov-report= $(ARGS)
	@echo "Tests with real processes and clocks, one at a time:"
	@$(PYTEST) -m "timed and $(QUICK)" --cov --cov-append --cov-report= $(ARGS)
	@$(PY) -m tests.coverage_by_room

test-faults: engines ## faults injected while performing: devices, processes, the machine
	@$(PYTEST) -m faults $(ARGS)

test-media: engines ## the tests that decode whole films and recordings (ANTIPHON_CLIPS=FOLDER names real ones)
	@$(PYTEST) -m media $(ARGS)

test-soak: engines ## the tests that take long on purpose (ANTIPHON_SOAK_S=SECONDS, default 600 each)
	@ANTIPHON_SOAK_S=$${ANTIPHON_SOAK_S:-600} $(PYTEST) -s -m soak $(ARGS)

check: venv ## ruff, mypy, import-linter
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: venv ## put the code into its form
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: engines ## light to sound and sound to light of this machine (ARGS="--trials 500 --awake")
	$(PY) run_live.py bench latency --quick $(ARGS)

docs: venv ## write the generated pages and diagrams again
	$(PY) -m streaming.transport.wire_page
	$(PY) -m streaming.settings.controls_page
	$(PY) -m streaming.remote.osc_page
	$(PY) -m streaming.remote.console.console_docs
	$(PY) -m streaming.remote.show_control.show_control_docs
	$(PY) -m docs.command_line
	$(PY) -m docs.diagrams
	$(PY) -m docs.patches
	$(PY) -m docs.code_map

site: venv ## build the documentation as a website in site/ that needs no network
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
	$(PY) docs/check_site.py site
	@echo "open site/index.html"

clean: ## remove what tools and tests left (recordings and training runs stay)
	rm -rf site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info $(VENV)/.installed-*
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
