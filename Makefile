# make demo   show it working: a real guest is checkpointed while it runs, changed, reverted, RAM and disk together
# make test   run everything that CI runs
SHELL       := /bin/bash
PREFIX      ?= /usr/local
DESTDIR     ?=
PUBLISHED   := artifacts/coppice
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

.PHONY: setup build publish demo test test-fast lint bench install clean

setup:
	@build/setup

build:
	@dotnet build Coppice.slnx -c Release -v q --nologo

publish:
	@dotnet publish src/Coppice.Cli -c Release -v q --nologo -o $(PUBLISHED)

demo: setup publish
	@lab/demo $(PUBLISHED)/coppice

test: setup build publish
	@build/test Coppice.Tests Coppice.Live

test-fast: build
	@build/test Coppice.Tests

lint:
	@dotnet format Coppice.slnx --verify-no-changes --severity warn
	@for script in build/setup build/test lab/demo lab/guest/build .ci/run; do bash -n $$script; done

bench: setup publish
	@bench/run $(PUBLISHED)/coppice

install: publish
	@install -d $(DESTDIR)$(PREFIX)/lib/coppice $(DESTDIR)$(PREFIX)/bin
	@cp -r $(PUBLISHED)/. $(DESTDIR)$(PREFIX)/lib/coppice/
	@ln -sfn ../lib/coppice/coppice $(DESTDIR)$(PREFIX)/bin/coppice

clean:
	@rm -rf artifacts lab/out
