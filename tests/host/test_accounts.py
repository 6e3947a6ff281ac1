# SPDX-License-Identifier: GPL-2.0-or-later
"""passwd, group and their kin in the overlay get what the host changed, and keep what is the overlay's."""

import pytest
from host import Host
from overlay import toy
from truth import OVERLAY


@pytest.fixture
def users(host: Host) -> Host:
    """A host and an overlay that both got users since the overlay was first entered."""
    host.run(*OVERLAY, "sh", "-c", "groupadd -g 7001 ours; useradd -u 7001 -g 7001 ours")
    host.sh("groupadd -g 7002 theirs; useradd -u 7002 -g 7002 theirs; usermod -aG theirs root")
    return host


@pytest.mark.everywhere
def test_both_sides_users_are_there(users: Host) -> None:
    done = toy(users, "id", "ours", "theirs")
    assert done.stdout.splitlines() == [
        "uid=7001(ours) gid=7001(ours) groups=7001(ours)",
        "uid=7002(theirs) gid=7002(theirs) groups=7002(theirs)",
    ]
    assert done.stderr == ""
    assert "theirs" in toy(users, "id", "-nG", "root").stdout.split()
    assert toy(users, "sh", "-c", "pwck -rq; grpck -r; getent shadow theirs >/dev/null && echo well").stdout == "well\n"
    assert toy(users, "stat", "-c", "%a %U %G", "/etc/shadow").stdout == "640 root shadow\n"


def test_a_number_that_both_gave_away(users: Host) -> None:
    users.run("useradd", "-u", "7001", "-g", "7002", "another")
    users.run("groupadd", "-g", "7003", "ours")
    done = toy(users, "true")
    assert done.stderr.splitlines() == [
        "toy: clash: number 7001 belongs to another on the host, to ours in the overlay (/etc/passwd)",
        "toy: clash: ours has number 7003 on the host, 7001 in the overlay (/etc/group)",
    ]
    assert toy(users, "id", "-u", "another").stdout == "7001\n"
    assert toy(users, "true").stderr == ""


def test_an_overlay_without_accounts_of_its_own(host: Host) -> None:
    host.run(*OVERLAY, "true")
    host.run("useradd", "-u", "7002", "theirs")
    assert toy(host, "id", "-u", "theirs").stdout == "7002\n"
    assert host.run("ls", "/var/lib/toy/toy/overlay/etc", check=False).stdout == ""


@pytest.mark.parametrize("damage", ["mkfifo", "ln -s /etc/hostname", "mkdir"])
def test_what_is_no_file_of_accounts_is_left_alone(users: Host, damage: str) -> None:
    passwd = "/var/lib/toy/toy/overlay/etc/passwd"
    users.sh(f"before=$(sha256sum /etc/hostname); rm {passwd}; {damage} {passwd}")
    users.run("useradd", "-u", "7010", "more")
    assert "7010" not in users.sh("cat /etc/hostname")
    assert toy(users, "true").returncode == 0
