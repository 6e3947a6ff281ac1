# SPDX-License-Identifier: GPL-2.0-or-later
"""Reconciliations that were interrupted, or that meet records and header sets that are not true."""

import os
import signal
import subprocess
from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, HELLO, LEGACY, publish
from overlay import start
from packages import Package
from reconciled import TOOL, directory, enter, killed_before, link, on_host, overlay
from truth import OVERLAY, packages

pytestmark = pytest.mark.usefixtures("database_and_files_agree")


# So that no database can be copied or made.
BREAK = (
    "mkdir -p /usr/local/bin; cd /usr/local/bin;"
    " for tool in cp rpmdb; do printf '#!/bin/sh\\nexit 1\\n' > $tool; chmod 755 $tool; done"
)


MEND = "rm /usr/local/bin/cp /usr/local/bin/rpmdb"


@pytest.mark.everywhere
def test_a_reconciliation_that_was_interrupted_is_finished(host: Host) -> None:
    publish(host, TOOL["2"])
    overlay(host, "install", "tool")
    overlay(host, "remove", "legacy")
    on_host(host, "install", "tool", "hello")
    # No database comes about after the files have been dealt with.
    host.sh(BREAK)
    done = host.run(*OVERLAY, "true", check=False)
    assert done.returncode == 125
    host.sh(MEND)
    # Meanwhile the host changes again: it has no tool at all.
    on_host(host, "remove", "tool")
    publish(host, replace(LEGACY, version="2", files={**LEGACY.files, "/usr/bin/legacy-2": ""}))
    on_host(host, "update")
    enter(host)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert host.run(*OVERLAY, "ls", "/usr/bin/tool", "/usr/bin/legacy", "/usr/bin/legacy-2", check=False).stdout == ""


def test_a_damaged_intent_is_named(host: Host) -> None:
    enter(host)
    host.write("/var/lib/toy/toy/intent", "[")
    done: subprocess.CompletedProcess[str] = host.run(*OVERLAY, "true", check=False)
    assert done.returncode == 125
    assert done.stderr.startswith("toy: the plan /var/lib/toy/toy/intent is damaged")
    host.run("rm", "/var/lib/toy/toy/intent")


def test_an_overlay_without_rival_is_left_alone(host: Host) -> None:
    overlay(host, "install", "hello")
    publish(host, replace(EDITOR, version="2"), replace(HELLO, version="2"))
    on_host(host, "update")
    assert enter(host) == []
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}


def test_a_host_without_the_files_that_it_says_it_has(host: Host) -> None:
    publish(host, TOOL["1"])
    overlay(host, "install", "tool")
    publish(host, TOOL["2"])
    on_host(host, "install", "tool")
    host.change("rm /usr/bin/tool")
    assert enter(host) == [
        "toy: kept: the overlay's tool, although the host has 2-1: some files of 2-1 are missing on the host"
        " (see there: rpm -V tool)"
    ]
    assert host.run(*OVERLAY, "tool").stdout == "tool 1\n"


def test_a_host_with_headers_of_packages_that_it_does_not_have(host: Host) -> None:
    enter(host)
    overlay(host, "install", "hello")
    publish(host, replace(LEGACY, version="2"))
    on_host(host, "update")
    # As many headers as packages, but one is not in the database, and one is not in the set.
    host.sh("cd /usr/lib/sysimage/rpm-headers; rm editor-*.hdr; cp /var/lib/toy/toy/overlay$PWD/hello-*.hdr .")
    said = enter(host)
    assert [line.split("-1-1")[0] for line in said] == ["toy: header file editor", "toy: header file hello"]
    assert all(line.endswith("did not match the rpm database; the header set matches it now") for line in said)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "legacy-2", "hello-1"}


def test_a_host_with_a_header_of_a_version_that_it_does_not_have(host: Host) -> None:
    enter(host)
    host.sh("cp /usr/lib/sysimage/rpm-headers/editor-*.hdr /tmp")
    publish(host, replace(EDITOR, version="2"))
    on_host(host, "update")
    enter(host)
    host.sh("cd /usr/lib/sysimage/rpm-headers; rm editor-*.hdr; cp /tmp/editor-*.hdr .")
    assert len(enter(host)) == 2
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1"}


def test_an_overlay_that_was_killed_before_the_host_dropped_what_it_removed(host: Host) -> None:
    script = f"{' '.join(host.rpm)} --erase --notriggers legacy && echo waiting && exec sleep 1000"
    process = start(host, *OVERLAY, "sh", "-c", script)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    on_host(host, "remove", "legacy")
    enter(host)
    on_host(host, "install", "legacy")
    assert host.run(*OVERLAY, "legacy").stdout == "legacy\n"


@pytest.mark.everywhere
@pytest.mark.parametrize("lost", ["rpmdb", "intent"])
def test_a_lost_database_loses_no_decision(host: Host, lost: str) -> None:
    publish(host, TOOL["1"])
    overlay(host, "install", "tool")
    overlay(host, "remove", "legacy")
    publish(host, TOOL["2"], replace(LEGACY, version="2"))
    on_host(host, "update")
    on_host(host, "install", "tool")
    if lost == "rpmdb":
        host.run("mv", "/var/lib/toy/toy/rpmdb", "/var/lib/toy/toy/rpmdb.damaged")
    else:  # an intent that comes back after it was carried out
        host.sh(f"{BREAK}; toy -- true || cat /var/lib/toy/toy/intent > /tmp/intent; {MEND}")
    assert enter(host) == ["toy: retired: tool 1-1 (host has 2-1)"]
    if lost == "intent":
        overlay(host, "install", "hello")
        host.run("mv", "/tmp/intent", "/var/lib/toy/toy/intent")
        assert enter(host) == []
        assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert "tool-2" in packages(host, *OVERLAY)
    assert not [name for name in packages(host, *OVERLAY) if name.startswith(("legacy", "tool-1"))]


WHERE = {
    "before the plan is recorded": ("reconcile/reconcile", "journal.intend"),
    "while the plan is carried out": ("reconcile/carry_out", "for file, blob in plan.stand_ins"),
    "before the database is in place": ("reconcile/journal", "self._write_base(self._new_base"),
    "when the database is in place": ("reconcile/journal", "self._new_base.rename"),
    "before it is logged": ("reconcile/prepare", "events.record"),
    "before it is said": ("reconcile/prepare", "events.say"),
}


def test_what_happened_before_a_header_file_had_to_be_mended_is_said(host: Host) -> None:
    own, theirs = (
        Package(name, files={f"/usr/lib/{where}/foo": name}) for name, where in (("own", "one"), ("it", "two"))
    )
    publish(host, directory("/usr/lib/one", "theirs"), own, theirs)
    on_host(host, "install", "filesystem", "it")
    overlay(host, "install", "own")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/new; echo more > /usr/lib/two/new")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    host.sh("truncate -s 100 /usr/lib/sysimage/rpm-headers/it-1*.hdr")
    mended, *said = enter(host)
    assert mended.endswith("did not match the rpm database; the header set matches it now")
    (moved,) = (line for line in said if line.startswith("toy: kept: /usr/lib/two/new.rpmsave"))
    assert moved in {f"toy: {line}" for line in host.run("toy", "status").stdout.splitlines()}
    assert enter(host) == []


@pytest.mark.parametrize(("module", "line"), WHERE.values(), ids=WHERE)
def test_what_happened_before_a_launch_was_killed_is_said(host: Host, module: str, line: str) -> None:
    make = "[ -e /usr/share/made ] || echo $(date +%N) > /usr/share/made"
    scripts = f"%ghost %attr(644,root,root) /usr/share/made\n%post\n{make}\n"
    maker = Package("maker", files={"/usr/share/maker": ""}, scripts=scripts)
    publish(host, directory("/usr/lib/one", "theirs"), maker)
    on_host(host, "install", "filesystem")
    overlay(host, "install", "maker")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/lib/one/new; mkdir /usr/lib/two; echo more > /usr/lib/two/new")
    publish(host, link("/usr/lib/one", "two"))
    on_host(host, "update")
    on_host(host, "install", "maker")
    killed_before(host, module, line)
    moved = "/usr/lib/two/new.rpmsave (it was /usr/lib/one/new; /usr/lib/one is /usr/lib/two on the host now)"
    made = "/usr/share/made.rpmsave (it was /usr/share/made, of which the host has its own now)"
    said = ["toy: retired: maker 1-1 (host has 1-1)", f"toy: kept: {moved}", f"toy: kept: {made}"]
    assert sorted(enter(host)) == sorted(said)
    assert host.run(*OVERLAY, "cat", "/usr/lib/one/new", "/usr/lib/one/new.rpmsave").stdout == "more\nmine\n"
    assert {f"toy: {line}" for line in host.run("toy", "status").stdout.splitlines()}.issuperset(said)
    assert enter(host) == []


def test_what_moved_before_a_launch_was_killed_moves_back(host: Host) -> None:
    one, two = "/usr/lib/one", "/usr/lib/two"
    publish(host, directory(one, "theirs"))
    on_host(host, "install", "filesystem")
    host.run(*OVERLAY, "sh", "-c", f"mkdir {two}; cd {one}; echo mine | tee mine > new; echo more > {two}/new")
    publish(host, link(one, "two", f"{two}/theirs"))
    on_host(host, "update")
    killed_before(host, "reconcile/relocate", "happened += .kept")
    assert len(enter(host)) == 1
    script = f"%pretrans\nrm {one}; mv {two} {one}\n"
    publish(host, Package("filesystem", "3", files={f"{one}/theirs": "theirs"}, scripts=script))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "sh", "-c", f"cat {one}/mine {one}/new {two}/new; ls {two}").stdout == (
        "mine\nmine\nmore\nnew\n"
    )
