# SPDX-License-Identifier: GPL-2.0-or-later

PREFIX = /usr
DESTDIR =
PYTHON = /usr/bin/python3

version = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' toy/__init__.py)
build = .build

.PHONY: all install rpm setup demo check test test-ndb test-on soak torture bench clean

all:
	@echo 'make demo, make test, make bench, make rpm, or make install DESTDIR= PREFIX='

install:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/toy/toy
	cd toy && find . -name "*.py" -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/lib/toy/toy/{} \;
	chmod 755 $(DESTDIR)$(PREFIX)/lib/toy/toy/__main__.py
# Compiled once, here: toy runs with -B and leaves nothing behind that no package owns.
	$(PYTHON) -m compileall -q --invalidation-mode unchecked-hash -s '$(DESTDIR)' $(DESTDIR)$(PREFIX)/lib/toy/toy
	ln -sf ../lib/toy/toy/__main__.py $(DESTDIR)$(PREFIX)/bin/toy
	install -D -m 644 toy/toy.8 $(DESTDIR)$(PREFIX)/share/man/man8/toy.8
	install -D -m 755 zypp-plugin/toy $(DESTDIR)$(PREFIX)/lib/zypp/plugins/commit/toy
	install -D -m 644 rpm-macros/macros.toy $(DESTDIR)$(PREFIX)/lib/rpm/macros.d/macros.toy
	sed 's|%{_prefix}|$(PREFIX)|' rpm-macros/macros.machine >$(DESTDIR)$(PREFIX)/lib/toy/macros.machine
	chmod 644 $(DESTDIR)$(PREFIX)/lib/toy/macros.machine
	install -D -m 755 rpm-macros/scriptlets/systemctl $(DESTDIR)$(PREFIX)/lib/toy/scriptlets/systemctl
	for tool in hostnamectl localectl loginctl timedatectl udevadm; do \
	    ln -sf systemctl $(DESTDIR)$(PREFIX)/lib/toy/scriptlets/$$tool; \
	done

rpm:
	rm -rf $(build)/rpm
	mkdir -p $(build)/rpm
	cp rpm-macros/macros.toy $(build)/rpm
	tar -czf $(build)/rpm/toy-$(version).tar.gz --transform 's,^,toy-$(version)/,' --exclude __pycache__ \
	    Makefile LICENSE README.md toy zypp-plugin rpm-macros
	rpmbuild -bb --quiet --nodeps --define '_prefix $(PREFIX)' --define '_topdir $(CURDIR)/$(build)/rpm' --define '_sourcedir %{_topdir}' \
	    --define '_rpmdir %{_topdir}' --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
	    rpm-macros/toy.spec
	@ls $(build)/rpm/*.rpm

# What demo and test need beyond a base system.
setup:
	tests/setup

demo: setup
	PYTHONPATH=tests/support $(PYTHON) tests/demo.py

# Linters and the tests of pure rules: seconds, and no root.
check:
	tests/setup tests
	.build/venv/bin/python -m pytest -q tests/unit

test:
	tests/setup tests
	.build/venv/bin/python -m pytest --numprocesses auto tests

# The same with an rpm whose databases are of the kind that openSUSE has: Debian's own source, built for it. Like this,
# by environment alone, the tests run with any other rpm.
ndb = /usr/lib/toy-rpm-ndb

test-ndb:
	tests/setup tests
	tests/build-ndb $(ndb)
	PATH=$(ndb)/bin:$$PATH LD_LIBRARY_PATH=$(ndb)/lib RPM_CONFIGDIR=$(ndb)/lib/rpm \
	    PYTHONPATH=$$(echo $(ndb)/lib/python3*/site-packages) \
	    .build/venv/bin/python -m pytest --numprocesses auto tests

# Demo and tests on another Debian: make test-on SUITE=forky ARGS="-k 'terminal or warm'"
SUITE = trixie

test-on:
	PYTEST_ADDOPTS="$$ARGS" tests/on $(SUITE)

# A long random walk: make soak STEPS=2000 SEED=7
STEPS = 500
SEED = 0

soak:
	tests/setup tests
	TOY_STEPS=$(STEPS) TOY_SEED=$(SEED) .build/venv/bin/python -m pytest -q tests/host/test_model.py

# Toy is killed, or its disk fails it, at each step of all that it does, or at one of EACH: make torture SEED=7 EACH=6
EACH = 1

torture:
	tests/setup tests
	TOY_TORTURE=full TOY_SEED=$(SEED) TOY_EACH=$(EACH) TOY_REPORT=$(build)/torture.log .build/venv/bin/python -m pytest -q --numprocesses auto tests/host/test_torture.py tests/host/test_power.py

# What toy costs, each time next to a real command. Results and picture go to tests/bench; takes half an hour.
bench:
	tests/setup tests/bench
	unshare --mount --propagation private .build/venv/bin/python tests/bench

clean:
	rm -rf $(build)
