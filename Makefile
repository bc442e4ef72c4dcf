# The one entrance. Every target is a thin call of a script; `make` lists them.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

PRESET ?= release
PREFIX ?= /usr/local

.PHONY: help run test build bench bench-peers asan tsan fuzz mutate coverage lint lint-fast format \
        reference nightly install clean

help: ## print this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | \
		while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: ## install what is missing, build, start the quickstart in ./.zona; Ctrl-C ends it
	@scripts/run

test: ## build and run every test
	@scripts/install-deps build run test
	@scripts/build check
	@scripts/run-tests check

build: ## build a preset: make build PRESET=release|check|asan|tsan|fuzz|coverage|bench
	@scripts/install-deps build $(if $(filter check asan tsan coverage,$(PRESET)),test) $(if $(filter bench,$(PRESET)),bench)
	@scripts/use-hooks
	@scripts/build $(PRESET)

bench: ## measure against the budgets
	@scripts/install-deps build run bench
	@scripts/build bench
	@scripts/bench

bench-peers: ## measure together with PM2, supervisord and s6
	@scripts/install-deps build run bench
	@scripts/build bench
	@scripts/bench --peers

asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/install-deps build run test
	@scripts/build asan
	@scripts/run-tests asan

tsan: ## all tests under ThreadSanitizer
	@scripts/install-deps build run test
	@scripts/build tsan
	@scripts/run-tests tsan

fuzz: ## each fuzz target for FUZZ_SECONDS (30)
	@scripts/install-deps build
	@scripts/build fuzz
	@scripts/fuzz

mutate: ## break each promise once; its test must notice
	@scripts/install-deps build run test
	@scripts/mutate

coverage: ## line coverage of src/, killed processes counted; fails under 80 %
	@scripts/install-deps build run test
	@scripts/build coverage
	@scripts/coverage

lint: ## formatter, include graph, sizes, licences, clang-tidy, cppcheck
	@scripts/install-deps build run test lint
	@scripts/lint

lint-fast: ## the part of lint that needs no build; CI runs it, the commit hook most of it
	@scripts/install-deps test
	@scripts/lint --fast

format: ## format all C++ in place
	@scripts/install-deps test
	@scripts/format

reference: ## the reference of the public headers, as HTML: build/doxygen/html/index.html
	@scripts/install-deps test
	@scripts/reference

nightly: ## all long suites; writes docs/nightly.md
	@scripts/install-deps build run test bench lint
	@scripts/nightly

install: ## install the product: make install PREFIX=/usr/local
	@scripts/install-deps build
	@scripts/build release
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove what was built
	@rm -rf build
