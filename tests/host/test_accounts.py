# SPDX-License-Identifier: GPL-2.0-or-later
"""passwd, group and their kin in the overlay get what the host changed, and keep what is the overlay's."""

import struct

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
    user, group = toy(users, "true").stderr.splitlines()
    number = toy(users, "id", "-u", "ours").stdout.strip()
    assert user == (
        "toy: clash: number 7001 belongs to another on the host, to ours in the overlay"
        f" (/etc/passwd; it is {number} there now, as of its files in the overlay: 0)"
    )
    assert group == (
        "toy: clash: ours has number 7003 on the host, 7001 in the overlay (/etc/group; it is 7003 there now,"
        " as of its files in the overlay: 0)"
    )
    assert number not in ("7001", "7002")
    assert toy(users, "id", "-u", "another").stdout == "7001\n"
    assert toy(users, "id", "ours").stdout == f"uid={number}(ours) gid=7003(ours) groups=7003(ours)\n"
    assert toy(users, "sh", "-c", "pwck -rq; grpck -r && echo well").stdout == "well\n"
    assert toy(users, "true").stderr == ""


CAPABILITY = "import os; capability = '/srv/data', 'security.capability', bytes.fromhex('0100000200200000' + 12 * '00')"
"""cap_net_raw=ep, see capabilities(7); where setcap(8) is missing."""

SYSTEM = "groupadd -g {1} {0} && useradd -r -u {1} -g {1} {0}"


@pytest.mark.everywhere
def test_system_users_made_in_another_order(host: Host) -> None:
    files = ("/srv/data", "/var/lib/data", "/usr/bin/data")
    script = f"touch {' '.join(files)}; ln -s data /srv/link; chown -h svca:svca {' '.join(files)} /srv/link"
    host.run(*OVERLAY, "sh", "-ec", f"{SYSTEM.format('svca', 899)}; {script}; chmod 4755 /usr/bin/data")
    host.run(*OVERLAY, "/usr/bin/python3", "-c", f"{CAPABILITY}; os.setxattr(*capability)")
    host.sh(f"{SYSTEM.format('svcb', 899)}; {SYSTEM.format('svca', 895)}")
    clash = "toy: clash: svca has number 895 on the host, 899 in the overlay"
    assert toy(host, "true").stderr.splitlines() == [
        f"{clash} (/etc/{table}; it is 895 there now, as of its files in the overlay: 4)"
        for table in ("passwd", "group")
    ]
    owners = toy(host, "stat", "-c", "%U:%G %u:%g", *files, "/srv/link").stdout.splitlines()
    assert owners == ["svca:svca 895:895"] * 4
    assert toy(host, "stat", "-c", "%a", "/usr/bin/data").stdout == "4755\n"
    script = f"{CAPABILITY}; print(os.getxattr(*capability[:2]) == capability[2])"
    assert toy(host, "/usr/bin/python3", "-c", script).stdout == "True\n"
    assert toy(host, "id", "svca").stdout == "uid=895(svca) gid=895(svca) groups=895(svca)\n"
    assert toy(host, "id", "svcb").stdout == "uid=899(svcb) gid=899(svcb) groups=899(svcb)\n"
    assert toy(host, "sh", "-c", "pwck -rq; grpck -r && echo well").stdout == "well\n"
    assert toy(host, "true").stderr == ""


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_accounts_that_have_each_others_numbers(host: Host, names: str) -> None:
    def make(order: str, place: str) -> str:
        users = zip(order, range(899, 890, -1), strict=False)
        script = "{}; install -o svc{} -g svc{} -d {}{}"
        return "; ".join(script.format(SYSTEM.format(f"svc{x}", n), x, x, place, x) for x, n in users)

    host.run(*OVERLAY, "sh", "-ec", make(names, "/srv/ours-"))
    host.sh(make(f"{names[1:]}{names[0]}", "/srv/theirs-"))
    assert len(toy(host, "true").stderr.splitlines()) > 0
    places = [f"/srv/{side}-{x}" for side in ("ours", "theirs") for x in names]
    owners = toy(host, "stat", "-c", "%U:%G", *places).stdout.split()
    assert owners == [f"svc{x}:svc{x}" for x in names] * 2
    assert toy(host, "sh", "-c", "pwck -rq; grpck -r && echo well").stdout == "well\n"
    assert toy(host, "true").stderr == ""


def test_acls_name_the_account_by_its_new_number(host: Host) -> None:
    entries = [(1, 6, -1), (2, 4, 899), (4, 4, -1), (8, 4, 899), (16, 4, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    path, name = "/srv/data", "system.posix_acl_access"
    host.run(*OVERLAY, "sh", "-ec", f"{SYSTEM.format('svca', 899)}; touch {path}")
    host.run(*OVERLAY, "/usr/bin/python3", "-c", f"import os; os.setxattr('{path}', '{name}', {acl!r})")
    host.sh(f"{SYSTEM.format('svcb', 899)}; {SYSTEM.format('svca', 895)}")
    toy(host, "true")
    found = toy(host, "/usr/bin/python3", "-c", f"import os; print(os.getxattr('{path}', '{name}').hex())").stdout
    assert found.strip() == acl.replace(struct.pack("<i", 899), struct.pack("<i", 895)).hex()


def test_a_number_that_two_accounts_of_the_overlay_have(host: Host) -> None:
    host.run(
        *OVERLAY, "sh", "-ec", f"{SYSTEM.format('svca', 899)}; useradd -o -u 899 -g 899 svcc; install -o svcc -d /srv/a"
    )
    host.sh(SYSTEM.format("svcb", 899))
    user, group = toy(host, "true").stderr.splitlines()
    assert user == "toy: clash: number 899 belongs to svcb on the host, to svcc in the overlay (/etc/passwd)"
    assert group.startswith(
        "toy: clash: number 899 belongs to svcb on the host, to svca in the overlay (/etc/group; it is"
    )
    assert toy(host, "stat", "-c", "%u", "/srv/a").stdout == "899\n"


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
