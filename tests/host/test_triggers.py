# SPDX-License-Identifier: GPL-2.0-or-later
"""rpm's file triggers keep the host's set current, whatever brings the packages."""

from dataclasses import replace

import pytest
from host import Host
from image import RPMS, publish
from packages import Package, build
from truth import OVERLAY, database, header_set, is_current, packages

ONE = Package("one", files={"/usr/share/one": "1"})
TWO = replace(ONE, version="2")
POSTTRANS = Package("posttrans", files={"/usr/share/posttrans": "1"}, scripts="%posttrans\n:")
OUTSIDE = Package("outside", files={"/etc/outside": "1"})
SHARED = Package("shared", files={"/usr/share/one": "another"})


@pytest.fixture(autouse=True)
def rpms(host: Host) -> None:
    build(host, [ONE, TWO, POSTTRANS, OUTSIDE, SHARED], RPMS)


def rpm(host: Host, *arguments: str) -> str:
    """Change the host's packages, and return what rpm said."""
    said = host.change(f"{' '.join(host.rpm)} {' '.join(arguments)} 2>&1")
    return "\n".join(line for line in said.splitlines() if not line.startswith("rpm: "))


@pytest.mark.everywhere
def test_install(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    assert "one-1-1.noarch" in database(host).values()
    assert is_current(host)


@pytest.mark.everywhere
def test_upgrade_leaves_only_the_new_version(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    rpm(host, "-U", f"{RPMS}/{TWO.file}")
    assert is_current(host)
    assert [name.split(".")[0] for name in header_set(host).values() if name.startswith("one")] == ["one-2-1"]


@pytest.mark.everywhere
def test_erase(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    rpm(host, "-e", "one")
    assert is_current(host)


def test_reinstall_changes_the_blob_of_the_same_package(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    before = header_set(host)
    host.sh("now=$(date +%s); while [ $(date +%s) = $now ]; do :; done")  # the install time has seconds
    rpm(host, "-U", "--replacepkgs", f"{RPMS}/{ONE.file}")
    assert is_current(host)
    assert header_set(host).keys() != before.keys()


def test_two_versions_at_once(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    rpm(host, "-i", f"{RPMS}/{TWO.file}")
    assert is_current(host)
    assert packages(host) >= {"one-1", "one-2"}


def test_rpm_marks_a_file_of_another_package_as_replaced(host: Host) -> None:
    # That changes the other's header under its old hdrNum, after %filetriggerin.
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    before = header_set(host)
    rpm(host, "-i", "--replacefiles", f"{RPMS}/{SHARED.file}")
    assert is_current(host)
    assert len(before.keys() - header_set(host).keys()) == 1


@pytest.mark.everywhere
def test_a_package_with_posttrans_by_a_zypper_that_runs_rpm_once_a_package(host: Host) -> None:
    # Then rpm fires %filetriggerin only.
    publish(host, ONE, POSTTRANS)
    host.change("rm /usr/lib/zypp/plugins/commit/toy")
    host.zypper("install", "one", "posttrans")
    assert packages(host) >= {"one-1", "posttrans-1"}
    assert is_current(host)


def test_each_package_is_added_where_nothing_comes_after_the_transaction(host: Host) -> None:
    rpm(host, "-i", "--noposttrans", f"{RPMS}/{ONE.file}", f"{RPMS}/{POSTTRANS.file}")
    assert is_current(host)
    rpm(host, "-U", "--noposttrans", f"{RPMS}/{TWO.file}")
    assert "one-2-1" in [name.split(".")[0] for name in header_set(host).values()]
    host.change("toy dump --changed")
    assert is_current(host)


def test_toy_is_called_no_more_often_than_it_is_needed(host: Host) -> None:
    host.write("/usr/bin/toy.counting", '#!/bin/sh\necho "$@" >> /root/calls\nexec /usr/lib/toy/toy/__main__.py "$@"\n')
    host.sh("chmod 755 /usr/bin/toy.counting; mv /usr/bin/toy.counting /usr/bin/toy")

    def calls(*arguments: str) -> list[str]:
        host.run("rm", "-f", "/root/calls")
        rpm(host, *arguments)
        return host.run("cat", "/root/calls").stdout.splitlines()

    assert calls("-i", f"{RPMS}/{ONE.file}", f"{RPMS}/{POSTTRANS.file}") == ["dump --changed"]
    assert calls("-U", f"{RPMS}/{TWO.file}") == ["dump --changed"] * 2
    assert calls("-e", "posttrans") == ["dump --changed"]
    assert calls("-i", "--noposttrans", f"{RPMS}/{POSTTRANS.file}") == ["dump --in-transaction /usr/share/posttrans"]
    assert is_current(host)


def test_a_package_without_files_in_usr_fires_none_and_a_launch_makes_up_for_it(host: Host) -> None:
    rpm(host, "-i", f"{RPMS}/{OUTSIDE.file}")
    assert not is_current(host)
    assert "outside-1" in packages(host, *OVERLAY)
    assert is_current(host)


def test_changes_without_triggers_are_made_up_for(host: Host) -> None:
    rpm(host, "-i", "--notriggers", f"{RPMS}/{ONE.file}")
    rpm(host, "-e", "--notriggers", "--justdb", "legacy")
    assert not is_current(host)
    assert packages(host, *OVERLAY) == packages(host)
    assert is_current(host)


@pytest.mark.everywhere
def test_they_fire_in_the_overlay_too(host: Host) -> None:
    install = f"{' '.join(host.rpm)} -i {RPMS}/{ONE.file}"
    host.run(*OVERLAY, "sh", "-c", f"{install}; ls /usr/lib/sysimage/rpm-headers > /root/seen")
    assert "one-1-1.noarch." in host.run("cat", "/root/seen").stdout
    assert is_current(host, *OVERLAY)
    assert is_current(host)


@pytest.mark.parametrize(
    "breakage",
    [
        "chmod a-x /usr/lib/toy/toy/__main__.py",
        "rm -r /usr/lib/toy",
        "rm -r /usr/lib/toy/toy/headers/__pycache__; echo 'not python' > /usr/lib/toy/toy/headers/dump.py",
    ],
)
def test_they_are_silent_and_never_fail(host: Host, breakage: str) -> None:
    host.change(breakage)
    assert rpm(host, "-i", f"{RPMS}/{ONE.file}") == ""
    assert rpm(host, "-U", f"{RPMS}/{TWO.file}") == ""
    assert rpm(host, "-e", "one") == ""


def test_unchanged_files_are_left_alone(host: Host) -> None:
    listing = "ls --full-time -i /usr/lib/sysimage/rpm-headers/{system,editor,library,legacy}*"
    before = host.run("bash", "-c", listing).stdout
    rpm(host, "-i", f"{RPMS}/{ONE.file}")
    assert host.run("bash", "-c", listing).stdout == before
