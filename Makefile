# make demo   show it working: a real guest is checkpointed while it runs, changed, reverted, RAM and disk together
# make test-full   every crash point instead of a sample, on both QEMUs; takes half an hour
# make torture TIME=10m   random operations and faults until the time is over; SEED=… repeats a run, SEED=live:7 one round of it
# make load TIME=5m   fifty libvirt clients and the command line at one server, which is killed on the way
# make bench   measure, side by side with virsh, and write docs/performance.md; PART=pause one part of it, QUICK=1 to see that it works
# make test   run everything that CI runs; QEMU=10.0 or QEMU=/path/to/qemu-system-x86_64 runs it on another QEMU
SHELL       := /bin/bash
PREFIX      ?= /usr/local
DESTDIR     ?=
PUBLISHED   := artifacts/coppice
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1

.PHONY: packages setup build publish demo victim test test-full test-fast torture load page virsh lint bench install clean

packages:
	@build/setup

# Where the second QEMU, the guest agent, libvirt or its clients cannot be had, their tests are skipped, and counted.
setup: packages
	@build/qemu-backports || true
	@build/guest-agent || true
	@build/libvirt-peers || true
	@build/clients || true

build:
	@dotnet build Coppice.slnx -c Release -v q --nologo

publish:
	@dotnet publish src/Coppice.Cli -c Release -v q --nologo -o $(PUBLISHED)

demo: packages publish
	@lab/demo $(PUBLISHED)/coppice

# Published it is another program than built: trimmed, and compiled ahead of time.
test test-full: export COPPICE_COMMAND := $(CURDIR)/$(PUBLISHED)/coppice
test test-full torture: export COPPICE_VICTIM := $(CURDIR)/artifacts/victim/coppice-victim.dll
test: setup build publish victim
	@build/test Coppice.Tests Coppice.Live Coppice.Torture

victim:
	@dotnet publish tests/Coppice.Victim -c Release -v q --nologo -o artifacts/victim

# What make test takes samples of, whole, and on both QEMUs.
test-full: export COPPICE_TEST_ALL := 1
test-full: test
	@QEMU=10.0 build/test Coppice.Live

test-fast: build
	@build/test Coppice.Tests

# Alone, since what it measures is the server.
load: export COPPICE_COMMAND := $(CURDIR)/$(PUBLISHED)/coppice
load: packages build publish
	@TEST_ARGS="--load $(TIME) $(if $(SEED),--seed $(SEED))" build/test Coppice.Torture

TIME ?= 10m
torture: packages build victim
	@TEST_ARGS="--time $(TIME) $(if $(SEED),--seed $(SEED))" build/test Coppice.Torture

# The pages of the matrix, of a tree's life and of virsh, from what real guests did.
page: packages build
	@COPPICE_PAGE=$(CURDIR)/docs/matrix.md TEST_ARGS="-class Coppice.Live.Tree.UsualRowTests" build/test Coppice.Live
	@COPPICE_LIFE=$(CURDIR)/docs/life.md TEST_ARGS="-class Coppice.Live.Cli.LifePageTests" build/test Coppice.Live
	@COPPICE_PICTURE=$(CURDIR)/docs/virt-manager.png TEST_ARGS="-class Coppice.Live.Clients.VirtManagerTests" build/test Coppice.Live
	@$(MAKE) --no-print-directory virsh

# docs/virsh.md, from what libvirtd and Coppice answer to virsh; as root. ANSWERS=FOLDER keeps all that they said.
virsh: packages build
	@build/libvirt-peers
	@COPPICE_VIRSH=$(CURDIR)/docs/virsh.md COPPICE_VIRSH_ANSWERS=$(ANSWERS) TEST_ARGS="-method Coppice.Live.Peers.VirshTests.Coppice_*" build/test Coppice.Live

lint:
	@dotnet format Coppice.slnx --verify-no-changes --severity warn
	@for script in build/setup build/qemu-backports build/guest-agent build/libvirt-peers build/clients build/test lab/demo lab/libvirtd lab/guest/build .ci/run bench/run bench/merge; do bash -n $$script; done

# docs/performance.md and its plots. PART=pause,list measures these only, and keeps what is known of the others; SIZE=2048 of its sizes; QUICK=1 is for looking.
bench: packages build publish
	@bench/run artifacts/bin/Coppice.Bench/release/Coppice.Bench $(PUBLISHED)/coppice $(if $(PART),--part $(PART)) $(if $(SIZE),--size $(SIZE)) $(if $(QUICK),--quick)
	@$(if $(PART),,bench/merge $(PUBLISHED)/coppice $(if $(QUICK),64))

install: publish
	@install -d $(DESTDIR)$(PREFIX)/lib/coppice $(DESTDIR)$(PREFIX)/bin
	@cp -r $(PUBLISHED)/. $(DESTDIR)$(PREFIX)/lib/coppice/
	@ln -sfn ../lib/coppice/coppice $(DESTDIR)$(PREFIX)/bin/coppice
	@install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	@$(PUBLISHED)/coppice completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coppice
	@install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	@for unit in packaging/*; do sed 's|@PREFIX@|$(PREFIX)|' $$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done

clean:
	@rm -rf artifacts lab/out
