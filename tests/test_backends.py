# SPDX-License-Identifier: GPL-2.0-or-later
"""Databases of different kinds on the host and in the overlay, and those that this rpm cannot read."""

import itertools
from dataclasses import replace

import pytest
from backends import BACKENDS, FILES
from host import Host
from image import DATABASE, EDITOR, publish
from overlay import refused
from truth import OVERLAY, is_current, packages

MACHINE = "/var/lib/toy/toy/rpmdb"
BASE = {"editor-1", "library-1", "legacy-1"}


def convert(host: Host, path: str, backend: str) -> None:
    """Make a database one of another kind; that gives new hdrNums, too."""
    host.run("rpmdb", "--define", f"_db_backend {backend}", "--dbpath", path, "--rebuilddb")
    assert FILES[backend] in host.run("ls", path).stdout.split()


def agrees(host: Host) -> None:
    assert is_current(host)
    assert is_current(host, *OVERLAY)
    assert host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout == ""


@pytest.mark.parametrize(("hosts", "overlays"), itertools.product(BACKENDS, repeat=2))
def test_host_and_overlay(host: Host, hosts: str, overlays: str) -> None:
    convert(host, DATABASE, hosts)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    agrees(host)
    convert(host, MACHINE, overlays)
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}
    agrees(host)
    host.run(*OVERLAY, "zypper", "-n", "remove", "library")
    host.zypper("remove", "legacy")
    assert packages(host, *OVERLAY) == {"editor-2", "hello-1"}
    agrees(host)


@pytest.mark.parametrize("command", [("toy", "dump"), ("toy", "--", "true"), ("toy", "status")])
def test_a_kind_that_this_rpm_cannot_read(host: Host, command: tuple[str, ...]) -> None:
    # As rpm says it is empty, or makes an empty one beside it; nobody is to believe that.
    host.run(*OVERLAY, "true")
    configured = host.run("rpm", "--eval", "%_db_backend").stdout.strip()
    other = next(file for backend, file in FILES.items() if backend != configured)
    host.sh(f"cd {DATABASE}; rm *; head -c 8192 /dev/urandom > {other}")
    before = host.sh("ls -l /usr/lib/sysimage/rpm-headers; cd /var/lib/toy/toy; ls; sha256sum base")
    assert f"the rpm database in {DATABASE}" in refused(host, *command)
    assert set(host.run("ls", DATABASE).stdout.split()) & set(FILES.values()) == {other}
    assert host.sh("ls -l /usr/lib/sysimage/rpm-headers; cd /var/lib/toy/toy; ls; sha256sum base") == before
