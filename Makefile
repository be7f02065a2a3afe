# A short front to meson. Each target first installs what it lacks; see scripts/deps.
BUILD   ?= build/release
PREFIX  ?= /usr/local
DESTDIR ?=
SEED    ?=
export SEED
ROWS    ?=
RUNS    ?=
BIG     ?=
export ROWS RUNS BIG
VECTORS ?= ../shared/vectors

.PHONY: build demo play test test-interop test-vectors soak bench lint fresh install clean help

help:
	@echo 'make demo     the whole promise in a minute (SEED=n repeats the choices of a run)'
	@echo 'make play     leave a broker up, to try things on'
	@echo 'make test     everything that is tested; ends with "N passed, N failed"'
	@echo 'make test-vectors   signatures and structured fields that others made (VECTORS=DIR is their folder)'
	@echo 'make test-interop  real senders and proxies: npm, curl, alertmanager, nginx, haproxy'
	@echo 'make bench    measures it beside nginx and the bare disk (ROWS=ingest,trip RUNS=5 BIG=1)'
	@echo 'make soak     what chance finds, for SOAK_SECONDS=n (an hour); Ctrl-C ends it early'
	@echo 'make build    libfish and the examples, in $(BUILD)'
	@echo 'make install  honours PREFIX and DESTDIR'
	@echo 'make lint     clang-tidy and clang-format'
	@echo 'make fresh    the lines of the README in a fresh Debian 12 (as root)'
	@echo 'make clean    remove build/'

build:
	@scripts/deps build
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@meson compile -C $(BUILD)

demo: build
	@examples/broker/demo $(BUILD)

play: build
	@scripts/deps play
	@examples/broker/play $(BUILD)

test:
	@scripts/deps test
	@scripts/test

test-vectors:
	@scripts/deps test
	@scripts/test-vectors $(VECTORS)

test-interop:
	@scripts/deps interop
	@scripts/test-interop

bench: build
	@scripts/deps bench
	@meson compile -C $(BUILD) bench
	@bench/bench.py --build $(BUILD)

soak:
	@scripts/deps soak
	@scripts/soak

lint:
	@scripts/deps lint
	@scripts/lint

fresh:
	@scripts/deps fresh
	@scripts/fresh

# The prefix may have changed since the build was set up.
install: build
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	rm -rf build
