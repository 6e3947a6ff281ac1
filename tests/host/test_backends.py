# SPDX-License-Identifier: GPL-2.0-or-later
"""Databases of different kinds on the host and in the overlay, and those that this rpm cannot read."""

import itertools
from dataclasses import replace

import pytest
from backends import BACKENDS, FILES, ZYPPERS
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


@pytest.mark.parametrize(("hosts", "overlays"), itertools.product(ZYPPERS, BACKENDS))
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


def test_keys_in_files(host: Host) -> None:
    # Where %_keyring is not rpmdb, and below %_dbpath: both sides' count.
    ring = host.run("rpm", "--eval", "%_keyringpath").stdout.strip().rstrip("/").removeprefix(DATABASE)
    host.sh(
        f"mkdir -p {DATABASE}{ring}/deep; echo host > {DATABASE}{ring}/host.key; echo deep > {DATABASE}{ring}/deep/a"
    )
    host.run(
        *OVERLAY, "sh", "-c", f"echo ours > {DATABASE}{ring}/ours.key; ln -s /etc/shadow {DATABASE}{ring}/link.key"
    )
    look = f"cd {DATABASE}{ring} && cat deep/a host.key ours.key"
    assert host.run(*OVERLAY, "sh", "-c", look).stdout == "deep\nhost\nours\n"
    host.sh(f"echo other > {DATABASE}{ring}/host.key; echo new > {DATABASE}{ring}/new.key")
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    assert host.run(*OVERLAY, "sh", "-c", f"{look} new.key").stdout == "deep\nother\nours\nnew\n"
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1"}
    agrees(host)
    assert host.run("ls", f"{DATABASE}{ring}").stdout.split() == ["deep", "host.key", "new.key"]


def test_keys_in_files_do_not_lead_out_of_the_overlay(host: Host) -> None:
    host.sh(f"mkdir {DATABASE}/pubkeys; echo key > {DATABASE}/pubkeys/passwd")
    host.run(*OVERLAY, "true")
    host.sh(f"cd {MACHINE}; rm -r pubkeys; mkdir /srv/aside; ln -s /srv/aside pubkeys")
    host.run(*OVERLAY, "true")
    assert host.run("ls", "/srv/aside").stdout == ""
