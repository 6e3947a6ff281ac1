# SPDX-License-Identifier: GPL-2.0-or-later
"""Host and overlay both changed packages: what becomes of directories, configuration, links and caches."""

from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, LEGACY, LIBRARY, publish
from packages import Package
from reconciled import UPPER, enter, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")


def test_a_directory_that_was_made_anew_hides_nothing(host: Host) -> None:
    overlay(host, "remove", "library")
    overlay(host, "install", "library")
    publish(host, replace(LIBRARY, version="2", files={**LIBRARY.files, "/usr/lib/library/new": "2"}))
    on_host(host, "update")
    assert enter(host) == ["toy: retired: library 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "cat", "/usr/lib/library/new").stdout == "2\n"


@pytest.mark.everywhere
def test_the_hosts_plugin_in_a_directory_of_the_overlays_package(host: Host) -> None:
    owner = replace(LIBRARY, directories=("/usr/lib/library",), version="2")
    publish(host, owner)
    on_host(host, "update")
    overlay(host, "remove", "library")
    overlay(host, "install", "library")
    publish(host, Package("plugin", files={"/usr/lib/library/plugin": "plugin"}))
    on_host(host, "install", "plugin")
    assert host.run(*OVERLAY, "cat", "/usr/lib/library/plugin").stdout == "plugin\n"


@pytest.mark.everywhere
def test_a_changed_file_and_a_changed_configuration_stay_and_are_named(host: Host) -> None:
    first = replace(EDITOR, name="writer", files={"/usr/bin/writer": "#!/bin/sh", "/etc/writer.conf": "a=1"})
    first = replace(first, config=("/etc/writer.conf",), directories=())
    publish(host, first)
    overlay(host, "install", "writer")
    host.run(*OVERLAY, "sh", "-c", "echo b=2 >> /etc/writer.conf")
    publish(host, replace(first, version="2"))
    on_host(host, "install", "writer")
    assert enter(host) == [
        "toy: retired: writer 1-1 (host has 2-1)",
        "toy: kept: /etc/writer.conf (changed in the overlay)",
    ]
    assert host.run(*OVERLAY, "cat", "/etc/writer.conf").stdout == "a=1\nb=2\n"


@pytest.mark.everywhere
def test_a_directory_removed_by_hand_stays_removed(host: Host) -> None:
    host.run(*OVERLAY, "rm", "-r", "/usr/share/doc")
    publish(host, replace(LEGACY, version="2"))
    on_host(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/doc", check=False).returncode == 2
    host.sh(f"rm -rf {UPPER}/usr/share/doc")


def test_the_cache_of_libraries_has_both_sides_libraries(host: Host) -> None:
    add = (
        "mkdir -p /opt/{0} && cp -L $(ldconfig -p | sed -n 's/.*libm.so.6 .*=> //p' | head -n 1) /opt/{0} && "
        "echo /opt/{0} > /etc/ld.so.conf.d/{0}.conf && ldconfig"
    )
    host.run(*OVERLAY, "sh", "-c", add.format("ours"))
    host.sh(add.format("theirs"))
    on_host(host, "install", "hello")
    listed = host.run(*OVERLAY, "ldconfig", "-p").stdout
    assert "=> /opt/ours/libm.so.6" in listed
    assert "=> /opt/theirs/libm.so.6" in listed
    host.sh("mv /usr/sbin/ldconfig /usr/sbin/ldconfig.real; echo 'echo broken >&2; exit 1' > /usr/sbin/ldconfig")
    host.sh("chmod 755 /usr/sbin/ldconfig")
    on_host(host, "remove", "hello")
    assert enter(host) == [
        "toy: stale: /etc/ld.so.cache (ldconfig failed in the overlay; see why: toy -n toy -- ldconfig)"
    ]
    host.sh("mv /usr/sbin/ldconfig.real /usr/sbin/ldconfig")


def test_a_file_changed_by_hand_is_named_when_the_host_has_a_new_one(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo mine >> /etc/editor.conf")
    publish(host, replace(EDITOR, version="2", files={**EDITOR.files, "/etc/editor.conf": "tabs=4"}))
    on_host(host, "update")
    assert enter(host) == ["toy: shadowed: /etc/editor.conf (the host has another one; the overlay keeps its own)"]
    assert host.run(*OVERLAY, "cat", "/etc/editor.conf").stdout == "tabs=8\nmine\n"


def test_a_link_of_the_hosts_new_package_where_the_overlay_removed_a_directory(host: Host) -> None:
    host.change("mkdir -p /usr/share/turns")
    host.run(*OVERLAY, "rmdir", "/usr/share/turns")
    publish(host, Package("new", links={"/usr/share/turns": "doc"}, scripts="%pretrans\nrm -rf /usr/share/turns\n"))
    on_host(host, "install", "new")
    assert host.run(*OVERLAY, "readlink", "/usr/share/turns").stdout == "doc\n"


def test_a_directory_that_the_overlays_package_left_empty(host: Host) -> None:
    first = Package("turning", files={"/usr/share/turns/file": ""})
    publish(host, first)
    overlay(host, "install", "turning")
    publish(host, Package("turning", "2", links={"/usr/share/turns": "doc"}))
    on_host(host, "install", "turning")
    assert enter(host) == ["toy: retired: turning 1-1 (host has 2-1)"]
    assert host.run(*OVERLAY, "readlink", "/usr/share/turns").stdout == "doc\n"


def test_a_new_package_in_a_directory_that_somebody_emptied(host: Host) -> None:
    host.change("mkdir -p /usr/share/place/old/inner; touch /usr/share/place/file /usr/share/place/old/inner/file")
    host.run(*OVERLAY, "sh", "-ec", "cd /usr/share; rm -r place; mkdir -p place/old; touch place/own")
    publish(host, Package("new", files={"/usr/share/place/new/file": "", "/usr/share/place/old/new": ""}))
    on_host(host, "install", "new")
    assert host.run(*OVERLAY, "sh", "-c", "cd /usr/share/place; find | sort").stdout.split() == [
        ".", "./new", "./new/file", "./old", "./old/new", "./own",
    ]  # fmt: skip


@pytest.mark.everywhere
def test_a_new_package_in_a_directory_that_somebody_removed(host: Host) -> None:
    host.change("mkdir -p /usr/share/place/inner; touch /usr/share/place/file /usr/share/place/inner/file")
    host.run(*OVERLAY, "rm", "-r", "/usr/share/place")
    publish(host, Package("new", files={"/usr/share/place/inner/new": ""}))
    on_host(host, "install", "new")
    found = host.run(*OVERLAY, "sh", "-c", "cd /usr/share/place; find | sort").stdout.split()
    assert found == [".", "./inner", "./inner/new"]
    # What somebody removed of a package that is there stays removed.
    host.run(*OVERLAY, "rm", "-r", "/usr/share/place")
    publish(host, Package("new", "2", files={"/usr/share/place/inner/new": "", "/usr/share/place/inner/newer": ""}))
    on_host(host, "update")
    assert host.run(*OVERLAY, "ls", "/usr/share/place", check=False).returncode == 2
    host.sh(f"rm -r {UPPER}/usr/share/place")


@pytest.mark.everywhere
def test_the_hosts_directory_gets_another_mode(host: Host) -> None:
    owner = Package("owner", directories=("/usr/share/owned",))
    publish(host, owner, Package("plug", files={"/usr/share/owned/plug": ""}))
    on_host(host, "install", "owner")
    overlay(host, "install", "plug")
    publish(host, replace(owner, version="2", directory_mode="700"))
    on_host(host, "update")
    assert host.run(*OVERLAY, "stat", "-c", "%a", "/usr/share/owned").stdout == "700\n"


def test_who_may_read_a_configuration_file_is_configuration(host: Host) -> None:
    conf = Package("conf", files={"/etc/conf": "a"}, config=("/etc/conf",))
    publish(host, conf)
    overlay(host, "install", "conf")
    host.run(*OVERLAY, "chmod", "600", "/etc/conf")
    publish(host, replace(conf, version="2"))
    on_host(host, "install", "conf")
    assert enter(host) == [
        "toy: retired: conf 1-1 (host has 2-1)",
        "toy: kept: /etc/conf (changed in the overlay)",
    ]
    assert host.run(*OVERLAY, "stat", "-c", "%a", "/etc/conf").stdout == "600\n"


def test_a_file_that_the_hosts_update_left_as_it_was(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo mine >> /etc/editor.conf")
    publish(host, replace(EDITOR, version="2"))
    on_host(host, "update")
    assert enter(host) == []


@pytest.mark.everywhere
def test_a_cache_that_only_the_overlay_has_stays(host: Host) -> None:
    cache = "/usr/share/icons/mine/icon-theme.cache"
    host.run(*OVERLAY, "sh", "-c", f"mkdir -p {cache.rsplit('/', 1)[0]}; echo mine > {cache}")
    on_host(host, "install", "hello")
    assert host.run(*OVERLAY, "cat", cache).stdout == "mine\n"
