# SPDX-License-Identifier: GPL-2.0-or-later
"""Launches: what is there before and after, and with an update of the host between them."""

from dataclasses import replace
from pathlib import Path

import pytest
from backends import needs_openpgp
from host import Host
from image import CHECKOUT, EDITOR, HELLO, RPMS, publish
from overlay import start, toy
from packages import Package, build
from truth import OVERLAY, database, header_set, is_current, packages


@needs_openpgp
@pytest.mark.everywhere
def test_a_key_imported_in_the_overlay_stays(host: Host) -> None:
    host.write("/root/key.asc", (CHECKOUT / "tests/support/key.asc").read_text())
    host.run(*OVERLAY, "rpm", "--import", "/root/key.asc")
    keys = "rpm -qa 'gpg-pubkey*' | grep . || rpmkeys --list"
    assert toy(host, "sh", "-c", keys).stdout != ""
    assert host.run("sh", "-c", keys, check=False).stdout == ""
    assert is_current(host, *OVERLAY)


def test_machines_are_apart(host: Host) -> None:
    host.run("toy", "-n", "one", "--", "zypper", "-n", "install", "hello")
    assert "hello-1" in packages(host, "toy", "-n", "one", "--")
    assert "hello-1" not in packages(host, "toy", "-n", "two", "--")
    assert "hello-1" not in packages(host)


@pytest.mark.everywhere
def test_where_things_are(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    assert host.run("readlink", "/var/lib/machines/.toy").stdout == "/var/lib/toy/toy\n"
    documented = host.sh("cd /var/lib/machines/.toy && ls -d overlay/usr/bin/hello rpmdb var/lib").split()
    assert documented == ["overlay/usr/bin/hello", "rpmdb", "var/lib"]
    assert host.sh("ls -A /var/lib/machines/toy") == ""
    assert "hello-1-1.noarch" in host.run("rpm", "--dbpath", "/var/lib/machines/.toy/rpmdb", "-qa").stdout


class TestHostUpdate:
    """Two launches with an update of the host between them."""

    @pytest.mark.everywhere
    def test_install_update_return(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        publish(host, replace(EDITOR, version="2"), Package("new", directories=("/usr/share/new",)))
        host.zypper("update")
        host.zypper("install", "new")
        host.zypper("remove", "legacy")
        before = database(host)
        assert packages(host, *OVERLAY) == {"editor-2", "library-1", "new-1", "hello-1"}
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        assert is_current(host, *OVERLAY)
        assert database(host) == before

    @pytest.mark.everywhere
    def test_removed_in_the_overlay_stays_removed(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy", "editor")
        publish(host, Package("new"))
        host.zypper("install", "new")
        assert packages(host, *OVERLAY) == {"library-1", "new-1"}
        assert toy(host, "ls", "/usr/bin/legacy").returncode == 2
        assert packages(host) == {"editor-1", "library-1", "legacy-1", "new-1"}
        assert host.run("legacy").stdout == "legacy\n"

    def test_a_removal_on_both_sides_and_a_return(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
        host.zypper("remove", "legacy")
        assert "legacy-1" not in packages(host, *OVERLAY)
        assert "legacy" not in host.sh("ls -A /var/lib/toy/toy/overlay/usr/lib/sysimage/rpm-headers")
        assert is_current(host, *OVERLAY)

    @pytest.mark.everywhere
    def test_the_same_package_comes_to_the_host(self, host: Host) -> None:
        build(host, [HELLO], RPMS)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        host.zypper("install", "hello")
        assert "hello-1" in packages(host, *OVERLAY)
        assert is_current(host, *OVERLAY)

    def test_an_update_while_the_overlay_is_entered(self, host: Host) -> None:
        process = start(host, "toy", "--", "sh", "-c", "echo waiting; read line; :")
        publish(host, HELLO)
        host.zypper("install", "hello")
        process.communicate()
        assert "hello-1" in packages(host, *OVERLAY)
        assert is_current(host, *OVERLAY)

    def test_nothing_changed_then_nothing_is_rebuilt(self, host: Host) -> None:
        toy(host, "true")
        before = host.run("stat", "--format=%i", "/var/lib/toy/toy/rpmdb").stdout
        toy(host, "true")
        assert host.run("stat", "--format=%i", "/var/lib/toy/toy/rpmdb").stdout == before


def test_toy_itself_may_be_removed_in_the_overlay(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "remove", "toy")
    assert "toy-0.1-0.noarch" not in toy(host, "rpm", "-qa").stdout
    assert packages(host, *OVERLAY) == packages(host)
    assert host.run("rpm", "-V", "toy").stdout == ""
    assert is_current(host)


@pytest.mark.parametrize(
    "script",
    [
        "rm -r /usr/lib/sysimage/rpm-headers",
        "rm /usr/lib/sysimage/rpm-headers/*",
        "rm /usr/lib/sysimage/rpm-headers/.stamp",
        "rm -r /usr/lib/sysimage/rpm-headers; toy dump",
    ],
)
def test_a_set_that_was_removed_in_the_overlay_loses_nothing(host: Host, script: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.run(*OVERLAY, "sh", "-c", script)
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)
    publish(host, replace(EDITOR, version="2"))
    host.zypper("update")
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}


@pytest.mark.parametrize("lost", ["rpmdb", "base", "rpmdb base", "overlay/usr/lib/sysimage/rpm-headers"])
def test_any_one_part_of_the_state_may_be_lost(host: Host, lost: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.sh(f"cd /var/lib/toy/toy && rm -r {lost}")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert is_current(host, *OVERLAY)


@pytest.mark.everywhere
def test_network_and_name_resolution_are_the_hosts(host: Host) -> None:
    assert toy(host, "readlink", "/proc/self/ns/net").stdout == host.run("readlink", "/proc/self/ns/net").stdout
    assert toy(host, "cat", "/etc/resolv.conf").stdout == host.run("cat", "/etc/resolv.conf").stdout
    host.sh("mkdir -p /run/netconfig; echo nameserver 192.0.2.1 > /run/netconfig/resolv.conf")
    host.sh("ln -sf /run/netconfig/resolv.conf /etc/resolv.conf")
    assert toy(host, "cat", "/etc/resolv.conf").stdout == "nameserver 192.0.2.1\n"


@pytest.mark.everywhere
def test_homes(host: Host) -> None:
    host.sh("useradd --create-home alice; echo hers > /home/alice/file; echo roots > /root/file")
    alice = host.run("id", "-u", "alice").stdout.strip()
    script = "cat /root/file /home/alice/file; echo written > /home/alice/new"
    assert toy(host, "sh", "-c", script, env={"SUDO_UID": alice}).stdout == "roots\nhers\n"
    assert host.run("cat", "/home/alice/new").stdout == "written\n"


def test_the_host_is_not_written_but_for_its_set(host: Host) -> None:
    def state() -> dict[str, tuple[int, int]]:
        paths = [path for path in host.upper.rglob("*") if not path.is_dir()]
        return {str(path.relative_to(host.upper)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}

    before = state()
    host.run(*OVERLAY, "sh", "-c", "zypper -n install hello; zypper -n remove legacy; echo x > /etc/x; useradd bob")
    after = state()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith(("usr/lib/sysimage/", "root/"))} == {
        "var/lib/machines/.toy"
    }


@pytest.mark.everywhere
def test_no_mount_is_seen_outside(host: Host) -> None:
    before = host.sh("cut -d' ' -f5- /proc/self/mountinfo")
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; sleep 1000")
    assert host.sh("cut -d' ' -f5- /proc/self/mountinfo") == before
    process.terminate()
    process.communicate()


def test_a_read_only_host_whose_set_is_stale(template: Path, tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    with Host(tmp_path / "host", like=template, binds={tmp_path / "machines": "/var/lib/machines"}) as host:
        host.sh(f"{' '.join(host.rpm)} -e --notriggers legacy; mount -o remount,bind,ro /")
        before = header_set(host)
        assert packages(host, *OVERLAY) == {"editor-1", "library-1"}
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert is_current(host, *OVERLAY)
        assert header_set(host) == before
        # The next snapshot has a set that is current; the overlay's package is still the overlay's.
        host.sh("mount -o remount,bind,rw /; toy dump; mount -o remount,bind,ro /")
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert is_current(host, *OVERLAY)


@pytest.mark.parametrize("is_bound", [False, True], ids=["nothing bound", "bound"])
def test_nspawn_has_the_tmp_of_the_host_only_where_something_of_it_is_bound(host: Host, is_bound: bool) -> None:
    host.write("/tmp/of-host", "something")
    if is_bound:
        host.write("/etc/systemd/nspawn/toy.nspawn", "[Files]\nBind=/tmp/of-host:/srv/bound\n")
    host.write(
        "/usr/local/sbin/systemd-nspawn", '#!/bin/sh\nls /tmp > /var/tmp/tmp\nexec /usr/bin/systemd-nspawn "$@"\n'
    )
    host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
    assert toy(host, "true").returncode == 0
    assert ("of-host" in host.run("cat", "/var/tmp/tmp").stdout.split()) == is_bound


def test_no_address_family_is_restricted(host: Host) -> None:
    # As ip and tcpdump want them; systemd-nspawn is going to permit less by itself.
    script = "import socket as s; s.socket(s.AF_NETLINK, s.SOCK_RAW); s.socket(s.AF_PACKET, s.SOCK_RAW)"
    done = toy(host, "/usr/bin/python3", "-c", script)
    assert (done.returncode, done.stderr) == (0, "")
