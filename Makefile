# Tocsin's few commands. `make demo` and `make test` do all the set-up that a fresh machine needs.
.PHONY: help demo cluster cluster-status cluster-stop chaos test check bench tools doctor-build clean
.DEFAULT_GOAL := help

# Where `make tools` puts servers that tests start; also read by the tests.
export TOCSIN_TEST_TOOLS := $(CURDIR)/.tools
export CARGO_TERM_COLOR ?= auto

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

doctor-build: # Says what is missing before the first compiler error could.
	@command -v cargo >/dev/null 2>&1 || { \
	  echo "cargo is missing. Install Rust 1.95 or newer: https://rustup.rs, or your system's package \`cargo\`."; exit 1; }
	@command -v cc >/dev/null 2>&1 || { \
	  echo "A C compiler is missing (SQLite and the ciphers need one). Debian: apt-get install gcc; Fedora: dnf install gcc; macOS: xcode-select --install."; exit 1; }

demo: doctor-build ## Ring the bell once: an invented report walks to hundreds of invented contacts
	@echo "Building; the first time takes some minutes." >&2
	@cargo run --profile quick --package tocsin -- demo $(ARGUMENTS)

cluster: tools ## The distributed form on this machine without containers, to be tried: settings, keys and logs in .cluster
	@echo "Building; the first time takes some minutes." >&2
	@cargo build --quiet --profile quick --package tocsin --package tocsin-cluster
	@TOCSIN_BINARY=$(CURDIR)/target/quick/tocsin target/quick/tocsin-cluster start $(ARGUMENTS)

cluster-status: ## Who of the cluster runs
	@target/quick/tocsin-cluster status $(ARGUMENTS)

cluster-stop: ## End exactly what `make cluster` started
	@target/quick/tocsin-cluster stop $(ARGUMENTS)

chaos: tools ## Ten minutes of kills, cuts and full disks under load, and whether everything promised was kept
	cargo build --profile quick --package tocsin --package tocsin-cluster --features tocsin/fail-points
	TOCSIN_BINARY=$(CURDIR)/target/quick/tocsin target/quick/tocsin-chaos $(ARGUMENTS)

tools: doctor-build ## Install the servers and checkers that tests need
	@tests/tools

test: tools ## Everything: decisions, databases, the bus, journeys through real processes
	cargo build --profile quick --package tocsin --features tocsin/fail-points
	cargo test --workspace --lib --bins --tests

check: doctor-build ## Formatting, lints with warnings denied, dependency rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	@tests/tools deny
	cargo fetch --quiet --locked
	@PATH="$(TOCSIN_TEST_TOOLS)/bin:$$PATH" cargo deny --offline check bans licenses sources
	@PATH="$(TOCSIN_TEST_TOOLS)/bin:$$PATH" cargo deny check advisories || echo "advisories could not be fetched here: skipped"

bench: tools ## Benchmarks with floors and peers of the same run
	@tests/tools bench
	@# Two commands: in one, cargo would build both with the features of both, and measure a binary that nobody runs.
	cargo build --release --package tocsin
	cargo build --release --package tocsin-bench
	TOCSIN_BINARY=$(CURDIR)/target/release/tocsin target/release/tocsin-bench $(ARGUMENTS)

clean: ## Remove everything that was built
	cargo clean
	rm -rf .tools
