# SPDX-License-Identifier: GPL-2.0-or-later
"""The host goes back to what it had before: what the overlay removed stays removed, and what it lost is named."""

import pytest
from backends import needs_openpgp
from host import Host
from image import SOURCE, publish
from packages import Package
from reconciled import TOOL, enter, on_host, overlay
from truth import OVERLAY, packages

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

OLD = Package("oldn", files={"/usr/bin/name": "#!/bin/sh\necho old"})
NEW = Package("newn", "2", files={"/usr/bin/name": "#!/bin/sh\necho new"}, tags=("Obsoletes: oldn < 2",))


@pytest.mark.everywhere
def test_what_the_overlay_removed_stays_removed_under_its_older_name(host: Host) -> None:
    publish(host, OLD)
    on_host(host, "install", "oldn")
    overlay(host, "remove", "oldn")
    publish(host, NEW)
    on_host(host, "update")
    assert enter(host) == []
    for there, name in (("newn", "oldn"), ("oldn", "newn"), ("newn", "oldn")):
        on_host(host, "remove", there)
        on_host(host, "install", name)
        assert enter(host) == []
        assert not packages(host, *OVERLAY) & {"oldn-1", "newn-2"}
        assert host.run(*OVERLAY, "name", check=False).returncode == 127


@pytest.mark.everywhere
def test_an_older_version_than_the_one_that_gave_way_comes_back(host: Host) -> None:
    publish(host, TOOL["1"])
    on_host(host, "install", "tool")
    publish(host, TOOL["2"])
    overlay(host, "update", "tool")
    publish(host, TOOL["3"])
    on_host(host, "update")
    assert enter(host) == ["toy: retired: tool 2-1 (host has 3-1)"]
    on_host(host, "install", "--oldpackage", "tool = 1")
    command = "toy -n toy -- zypper in tool"
    reason = f"it was retired since the host had it, and the host has 1-1 now; bring it back: {command}"
    assert enter(host) == [f"toy: gone: tool 2-1 ({reason})"]
    assert enter(host) == []
    assert host.run(*OVERLAY, "tool").stdout == "tool 1\n"
    overlay(host, "in", "tool")
    assert host.run(*OVERLAY, "tool").stdout in ("tool 2\n", "tool 3\n")


def test_one_of_several_kernels_that_gave_way_goes(host: Host) -> None:
    host.write("/etc/zypp/zypp.conf", "[main]\nmultiversion = kernel\n")
    kernels = [Package("kernel", version, files={f"/boot/vmlinuz-{version}": version}) for version in "123"]
    publish(host, *kernels)
    enter(host)
    for version in "12":
        overlay(host, "install", f"kernel = {version}")
    for version in "123":
        on_host(host, "install", f"kernel = {version}")
    assert enter(host) == [f"toy: retired: kernel {version}-1 (host has {version}-1)" for version in "12"]
    on_host(host, "remove", "kernel = 1")
    command = "toy -n toy -- zypper in --oldpackage kernel=1-1"
    reason = f"it was retired since the host had it, and the host has it no longer; bring it back: {command}"
    assert enter(host) == [f"toy: gone: kernel 1-1 ({reason})"]
    overlay(host, "in", "--oldpackage", "kernel=1-1")
    assert packages(host, *OVERLAY) >= {"kernel-1", "kernel-2", "kernel-3"}


@needs_openpgp
def test_a_key_that_gave_way_goes(host: Host) -> None:
    import_key = ("rpm", "--import", f"{SOURCE}/tests/support/key.asc")
    script = f"mkdir -p /tmp/key; rpm --import {SOURCE}/tests/support/key.asc"
    host.run(*OVERLAY, "sh", "-c", script)
    key = host.run(*OVERLAY, "rpm", "-qa", "gpg-pubkey", "--qf", "%{VERSION}-%{RELEASE}").stdout
    if not key:
        return  # this rpm keeps keys in files
    host.run(*import_key)
    assert enter(host) == [f"toy: retired: gpg-pubkey {key} (host has {key})"]
    host.run(*host.rpm, "-e", "--allmatches", "gpg-pubkey")
    assert [line.partition(" (")[0] for line in enter(host)] == [f"toy: gone: gpg-pubkey {key}"]
