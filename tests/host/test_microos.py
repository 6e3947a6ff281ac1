# SPDX-License-Identifier: GPL-2.0-or-later
"""Where toy's users are: snapshots, and a root that cannot be written."""

import pytest
from image import RPMS, publish
from microos import BASE, NEXT, MicroOS
from overlay import record, until_nothing_is_to_be_done
from packages import Package
from truth import OVERLAY, header_set, is_current, packages

BARE = Package("bare")
"""A package without a file: no trigger of toy's runs for it."""


@pytest.fixture
def host(microos: MicroOS) -> MicroOS:
    return microos


def in_snapshot(host: MicroOS, number: int) -> tuple[str, ...]:
    """Return what goes before a command to run it in a snapshot, as it is."""
    return ("chroot", f"/.snapshots/{number}/snapshot")


def agrees(host: MicroOS) -> None:
    """See that database, set and files of the overlay are one."""
    assert is_current(host, *OVERLAY)
    assert host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout == ""


def test_the_first_run_needs_no_reboot(host: MicroOS) -> None:
    assert host.run("touch", "/usr/file", check=False).returncode == 1
    assert packages(host, *OVERLAY) == BASE
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    agrees(host)
    assert packages(host) == BASE


@pytest.mark.parametrize("breakage", ["rm -r {}", "rm {}/editor-*", "rm {}/.stamp", "echo > {}/.stamp"])
def test_the_first_run_of_a_host_without_a_set_or_with_a_stale_one(host: MicroOS, breakage: str) -> None:
    headers = '"$TRANSACTIONAL_UPDATE_ROOT"/usr/lib/sysimage/rpm-headers'
    host.update("sh", "-c", breakage.format(headers))
    host.reboot()
    before = host.sh("ls -l /usr/lib/sysimage/rpm-headers 2>&1 || :")
    assert packages(host, *OVERLAY) == BASE
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    agrees(host)
    assert host.sh("ls -l /usr/lib/sysimage/rpm-headers 2>&1 || :") == before
    host.zypper("remove", "legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    agrees(host)


def test_an_update_leaves_the_new_snapshots_set_current_and_the_running_one_alone(host: MicroOS) -> None:
    publish(host, NEXT, BARE)
    before = header_set(host)
    number = host.update(*host.zypper_in_snapshot("install", "editor", "bare", "hello"))
    assert is_current(host, *in_snapshot(host, number))
    assert packages(host, *in_snapshot(host, number)) == {"editor-2", "library-1", "legacy-1", "bare-1", "hello-1"}
    assert header_set(host) == before
    assert is_current(host)
    number = host.update(*host.zypper_in_snapshot("remove", "bare"))
    assert is_current(host, *in_snapshot(host, number))
    assert "bare-1" not in packages(host, *in_snapshot(host, number))


def test_the_overlay_follows_updates_and_rollbacks(host: MicroOS) -> None:
    publish(host, NEXT, BARE)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.zypper("install", "editor", "bare")
    assert host.run(*OVERLAY, "editor").stdout == "editor 2\n"
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "bare-1", "hello-1"}
    agrees(host)
    host.default(1)
    host.reboot()
    assert host.run(*OVERLAY, "editor").stdout == "editor 1\n"
    assert packages(host, *OVERLAY) == BASE | {"hello-1"}
    agrees(host)


def test_what_the_host_comes_to_have_is_retired(host: MicroOS) -> None:
    publish(host, NEXT)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello", "editor")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.zypper("install", "editor", "hello")
    said = host.run(*OVERLAY, "true").stderr
    assert "toy: retired: editor 2-1 (host has 2-1)\n" in said
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "hello-1"}
    agrees(host)


def test_the_overlay_is_over_what_runs_and_not_over_what_is_booted_next(host: MicroOS) -> None:
    publish(host, NEXT)
    host.run(*OVERLAY, "true")
    host.update(*host.zypper_in_snapshot("install", "editor"))
    assert host.run(*OVERLAY, "editor").stdout == "editor 1\n"
    assert packages(host, *OVERLAY) == BASE
    agrees(host)


def test_the_overlay_is_over_what_was_applied(host: MicroOS) -> None:
    # As transactional-update apply does it.
    publish(host, NEXT)
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "sh", "-c", "echo mine > /usr/local/mine; echo mine > /usr/mine")
    number = host.update(*host.zypper_in_snapshot("install", "editor"))
    for name in ("usr", "etc"):
        host.run("mount", "--rbind", f"/.snapshots/{number}/snapshot/{name}", f"/{name}")
    assert host.run("editor").stdout == "editor 2\n"
    assert host.run(*OVERLAY, "sh", "-c", "editor; hello; cat /usr/mine").stdout == "editor 2\nHello, world!\nmine\n"
    assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}
    agrees(host)
    host.run(*OVERLAY, "zypper", "-n", "remove", "library")
    host.reboot()
    assert host.run(*OVERLAY, "cat", "/usr/local/mine", "/usr/mine").stdout == "mine\nmine\n"
    assert packages(host, *OVERLAY) == {"editor-2", "legacy-1", "hello-1"}
    agrees(host)


def test_etc_as_an_overlay_mount(host: MicroOS) -> None:
    # As in MicroOS before transactional-update 5.
    host.sh("mkdir -p /var/lib/overlay/upper /var/lib/overlay/work")
    options = "lowerdir=/etc,upperdir=/var/lib/overlay/upper,workdir=/var/lib/overlay/work"
    host.sh(f"mount -t overlay -o {options} overlay /etc; echo host > /etc/host")
    assert host.run(*OVERLAY, "cat", "/etc/host").stdout == "host\n"
    host.run(*OVERLAY, "sh", "-c", "echo overlay > /etc/host; useradd --uid 7003 ours")
    host.run("useradd", "-u", "7002", "theirs")
    assert host.run(*OVERLAY, "cat", "/etc/host").stdout == "overlay\n"
    assert host.run(*OVERLAY, "id", "-un", "ours").stdout == "ours\n"
    assert host.run(*OVERLAY, "id", "-un", "theirs").stdout == "theirs\n"
    assert host.run("cat", "/etc/host").stdout == "host\n"


def test_a_set_that_is_not_what_its_stamp_says(host: MicroOS) -> None:
    # rpm marks a file of the first package's as replaced in its header, and its header stays so.
    one, other = (Package(name, files={"/usr/share/common": name}) for name in ("one", "other"))
    publish(host, one, other)
    rpm = " ".join(host.rpm)
    host.change(f"{rpm} -i {RPMS}/{one.file}")
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.change(f"{rpm} -i --replacefiles --notriggers {RPMS}/{other.file}")
    assert packages(host, *OVERLAY) == BASE | {"one-1", "other-1", "hello-1"}
    host.change(f"{rpm} -e --notriggers other")
    for _ in range(2):
        assert packages(host, *OVERLAY) == BASE | {"one-1", "hello-1"}
        assert is_current(host, *OVERLAY)
    assert not is_current(host)
    host.change(f"{rpm} -e legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "one-1", "hello-1"}
    assert is_current(host, *OVERLAY)


@pytest.mark.parametrize("breakage", [":", "rm -r {}"])
def test_a_launch_after_a_reboot_has_nothing_to_do(host: MicroOS, breakage: str) -> None:
    host.change(breakage.format("/usr/lib/sysimage/rpm-headers"))
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    until_nothing_is_to_be_done(host)
    before = record(host)
    host.reboot()
    assert host.run(*OVERLAY, "hello").stdout == "Hello, world!\n"
    assert record(host) == before
    host.zypper("remove", "legacy")
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
    assert record(host) != before


class TestToyItselfInAnUpdate:
    """Its package comes and goes in a new snapshot, the plugin at work being the running host's, if it has one."""

    SET = "/usr/lib/sysimage/rpm-headers"

    def test_the_package_goes(self, host: MicroOS) -> None:
        number = host.update(*host.zypper_in_snapshot("remove", "toy"))
        assert host.run(*in_snapshot(host, number), "test", "-e", self.SET, check=False).returncode == 1
        assert is_current(host)
        # Nor is one made by a later update, before the reboot.
        number = host.update(*host.zypper_in_snapshot("remove", "legacy"))
        assert host.run(*in_snapshot(host, number), "test", "-e", self.SET, check=False).returncode == 1

    def test_the_package_comes_back(self, host: MicroOS) -> None:
        host.update(*host.zypper_in_snapshot("remove", "toy"))
        number = host.update(*host.zypper_in_snapshot("install", "toy"))
        assert is_current(host, *in_snapshot(host, number))

    def test_the_package_comes_to_a_host_without_it(self, host: MicroOS) -> None:
        host.zypper("remove", "toy")
        assert host.run("test", "-e", self.SET, check=False).returncode == 1
        number = host.update(*host.zypper_in_snapshot("install", "toy"))
        assert is_current(host, *in_snapshot(host, number))
        host.reboot()
        assert packages(host, *OVERLAY) == BASE

    def test_the_package_has_a_set_that_is_missing(self, host: MicroOS) -> None:
        host.update("sh", "-c", f'rm -r "$TRANSACTIONAL_UPDATE_ROOT{self.SET}"')
        number = host.update(*host.zypper_in_snapshot("remove", "legacy"))
        assert is_current(host, *in_snapshot(host, number))
