# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of the host's files that the kernel made in an upper, where nobody changed anything: they follow the host."""

from dataclasses import replace

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import UPPER, enter, in_upper, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

TOOL = Package(
    "tool",
    files={"/usr/bin/tool": "#!/bin/sh\necho 1", "/usr/share/tool/data": "1", "/etc/tool.conf": "a=1"},
    links={"/usr/share/tool/link": "data"},
    directories=("/usr/share/tool",),
    config=("/etc/tool.conf",),
)
NEXT = replace(
    TOOL,
    version="2",
    files={"/usr/bin/tool": "#!/bin/sh\necho 2", "/usr/share/tool/data": "2", "/etc/tool.conf": "a=2"},
    links={"/usr/share/tool/link": "/usr/bin/tool"},
)

NOTHING = {
    "an owner that it has": ("/usr/share/tool/data", "chown root:root"),
    "the owner of a link": ("/usr/share/tool/link", "chown -h root"),
    "a mode that it has": ("/usr/share/tool/data", "chmod 644"),
    "opened for writing": ("/usr/share/tool/data", "sh -c ': >> \"$1\"' sh"),
    "a configuration file": ("/etc/tool.conf", "touch"),
    "another link to it": ("/usr/share/tool/data", "sh -c 'ln \"$1\" /usr/share/hard' sh"),
    "a program": ("/usr/bin/tool", "touch"),
}


@pytest.mark.parametrize(("path", "command"), NOTHING.values(), ids=NOTHING)
def test_a_copy_that_nobody_changed_follows_the_host(host: Host, path: str, command: str) -> None:
    publish(host, TOOL)
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "sh", "-c", f"{command} {path}")
    publish(host, NEXT)
    on_host(host, "update")
    assert enter(host) == []
    assert not in_upper(host, path)
    assert host.run(*OVERLAY, "cat", path).stdout == host.run("cat", path).stdout
    host.run("rm", "-f", "/var/lib/toy/toy/overlay/usr/share/hard")


@pytest.mark.everywhere
def test_what_rpm_sets_anew_follows_the_host(host: Host) -> None:
    publish(host, TOOL)
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "rpm", "--setperms", "tool")
    host.run(*OVERLAY, "rpm", "--setugids", "tool")
    assert in_upper(host, "/usr/bin/tool")
    publish(host, NEXT)
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "tool").stdout == "2\n"
    on_host(host, "remove", "tool")
    assert enter(host) == []
    assert host.run(*OVERLAY, "ls", "/usr/bin/tool", "/usr/share/tool", check=False).stdout == ""


def test_a_copy_goes_with_the_hosts_package(host: Host) -> None:
    publish(host, TOOL)
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "touch", *TOOL.files)
    on_host(host, "remove", "tool")
    assert enter(host) == []
    assert host.run(*OVERLAY, "ls", *TOOL.files, "/usr/share/tool", check=False).stdout == ""


SOMETHING = {
    "content": "echo more >> /usr/share/tool/data",
    "mode": "chmod 600 /usr/share/tool/data",
    "owner": "chown 1:1 /usr/share/tool/data",
    "capabilities": "/sbin/setcap cap_net_raw=ep /usr/share/tool/data",
}


@pytest.mark.parametrize("command", SOMETHING.values(), ids=SOMETHING)
def test_a_copy_that_was_changed_stays_and_is_named(host: Host, command: str) -> None:
    publish(host, TOOL)
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "sh", "-c", command)
    publish(host, NEXT)
    on_host(host, "update")
    shadowed = "/usr/share/tool/data (the host has another one; the overlay keeps its own)"
    assert enter(host) == [f"toy: shadowed: {shadowed}"]
    assert host.run(*OVERLAY, "cat", "/usr/share/tool/data").stdout.startswith("1\n")
    host.run("rm", "/var/lib/toy/toy/overlay/usr/share/tool/data")  # rpm -V complains of it


def test_a_copy_stays_if_a_package_of_the_overlay_owns_the_path_by_now(host: Host) -> None:
    shared = {"/usr/share/shared": "the same"}
    publish(host, Package("one", files=shared), Package("two", files={**shared, "/usr/share/two": ""}))
    on_host(host, "install", "one")
    host.run(*OVERLAY, "touch", "/usr/share/shared")
    overlay(host, "install", "two")
    on_host(host, "remove", "one")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/shared").stdout == "the same\n"


def test_a_file_of_another_owner_follows_the_host(host: Host) -> None:
    publish(host, replace(TOOL, owner="daemon"))
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "touch", "/usr/share/tool/data")
    publish(host, replace(NEXT, owner="daemon"))
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/tool/data").stdout == "2\n"


def test_copies_in_a_directory_that_was_moved_away_and_back(host: Host) -> None:
    publish(host, TOOL)
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "sh", "-c", "mv /usr/share/tool /usr/share/t2 && mv /usr/share/t2 /usr/share/tool")
    publish(host, NEXT)
    on_host(host, "update")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", "/usr/share/tool/data").stdout == "2\n"
    host.run("rm", "-rf", "/var/lib/toy/toy/overlay/usr/share/tool")


DAMAGED = {
    "a number of thousands of digits": "printf 'daemon:x:%05000d:1::/:/bin/sh\\n' 7 >> passwd",
    "a link": "ln -sf /etc/hostname passwd",
    "no file": "rm -f passwd; mkdir passwd",
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_accounts_of_the_overlay_that_make_no_sense(host: Host, damage: str) -> None:
    publish(host, replace(TOOL, owner="daemon"))
    on_host(host, "install", "tool")
    host.run(*OVERLAY, "touch", "/usr/share/tool/data")
    host.sh(f"mkdir -p {UPPER}/etc; cd {UPPER}/etc; {damage}")
    publish(host, replace(NEXT, owner="daemon"))
    on_host(host, "update")
    assert "Traceback" not in "\n".join(enter(host))
    host.sh(f"rm -rf {UPPER}/etc/passwd {UPPER}/usr/share/tool/data")
