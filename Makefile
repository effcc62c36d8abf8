# Thin: what there is to do is in scripts/setup and xtask. `make help` lists the targets.

# Where the toolchain of rust-toolchain.toml is not installed under its number, the default one serves.
ifneq ($(shell cargo --version >/dev/null 2>&1 && echo ok),ok)
export RUSTUP_TOOLCHAIN := stable
endif
# scripts/setup puts a Node.js there when the system's is too old.
export PATH := $(CURDIR)/target/node/node_modules/node/bin:$(PATH)
# target/release/infrared is where everyone looks.
unexport CARGO_TARGET_DIR

BUILD_PACKAGES := deploy/packages.txt
TEST_PACKAGES := $(BUILD_PACKAGES) tests/packages.txt
ALL_PACKAGES := $(TEST_PACKAGES) bench/packages.txt
XTASK := cargo xtask

# Seconds for each fuzz target; FIGURES for `make bench`, TARGETS for `make fuzz`: all without.
TIME ?= 600
FIGURES ?=
TARGETS ?=

.PHONY: help
help:
	@echo 'make run         build what is missing and start infrared up (ARGS="--listen …")'
	@echo 'make build       target/release/infrared'
	@echo 'make test        everything that CI runs'
	@echo 'make bench       the measured figures (FIGURES="shares cost": only these)'
	@echo 'make fuzz        fuzz each reader for TIME=600 seconds (TARGETS="elf_symbols": only these)'
	@echo 'make mutants     faults put in on purpose, which tests have to find (NAMES="eviction": only these)'
	@echo 'make screenshot  docs/images/ui.png, of a running infrared up'
	@echo 'make web         the web UI alone'
	@echo 'make setup       the packages that the build needs; make setup-all: those of tests and benchmarks too'

.PHONY: setup
setup:
	@scripts/setup $(BUILD_PACKAGES)

.PHONY: setup-test
setup-test:
	@scripts/setup $(TEST_PACKAGES)

.PHONY: setup-all
setup-all:
	@scripts/setup $(ALL_PACKAGES)

.PHONY: web
web: setup
	@$(XTASK) web

.PHONY: build
build: setup
	@$(XTASK) build

.PHONY: run
run: build
	@exec target/release/infrared up $(ARGS)

.PHONY: test
test: setup-test
	@$(XTASK) ci

.PHONY: bench
bench: setup-all
	@$(XTASK) bench $(FIGURES)

.PHONY: fuzz
fuzz: setup
	@$(XTASK) fuzz --seconds $(TIME) $(TARGETS)

.PHONY: mutants
mutants: setup-test
	@$(XTASK) mutants $(NAMES)

.PHONY: screenshot
screenshot: setup-test
	@$(XTASK) screenshot
