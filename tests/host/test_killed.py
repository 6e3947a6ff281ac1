# SPDX-License-Identifier: GPL-2.0-or-later
"""Launches that are killed while they change files: the next one leaves what one that was not killed would have."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from host import Host
from image import LEGACY, RPMS, publish
from killing import STATE, back, keep, kill, points, sample, trees
from overlay import toy
from packages import Package
from reconciled import directory, link

MANY = Package(
    "many",
    files={f"/var/lib/many/{number}": f"one {number}" for number in range(20)} | {"/var/lib/many/gone": "gone"},
    links={"/var/lib/many/link": "1"},
    directories=("/var/lib/many", "/var/lib/many/old"),
)
NEXT = replace(
    MANY,
    version="2",
    files={f"/var/lib/many/{number}": f"two {number}" for number in range(2, 24)},
    links={"/var/lib/many/link": "2", "/var/lib/many/old": "link"},
    directories=("/var/lib/many",),
    scripts="%pretrans\nrm -rf /var/lib/many/old\n",
)
BUNDLE = "/var/lib/ca-certificates/pem"
ALTER = f"""
mkdir -p {BUNDLE}
for each in $(seq 20); do echo $1 $each > {BUNDLE}/$each.pem; done
for each in /var/lib/many/[0-9]*; do echo $1 > $each; done
"""
MINE = f"cd /var/lib/many; for each in 7 mine {BUNDLE}/7.pem; do echo mine > $each; done; chmod 600 8"


def alter(host: Host, text: str) -> None:
    """Change files of the host's /var."""
    host.run("sh", "-ec", ALTER, "sh", text)


def alter_again(host: Host) -> None:
    """Change them once more, with any package, so that the next launch has them follow."""
    alter(host, "three")
    host.sh(f"rpm -q legacy && rpm -e legacy || {' '.join(host.rpm)} -i {RPMS}/{LEGACY.file}")


def updated(host: Host) -> None:
    """Have a machine with files of the user's, and a host that was updated since."""
    publish(host, MANY)
    host.zypper("install", "many")
    host.sh("rm -f /usr/sbin/update-ca-certificates")  # it makes other files at each run
    alter(host, "one")
    assert toy(host, "sh", "-c", MINE).returncode == 0
    publish(host, NEXT)
    host.zypper("update")


def first(host: Host) -> None:
    """Have a host where nobody ever launched."""
    publish(host, MANY)
    host.zypper("install", "many")
    host.sh("mkdir -p /var/lib/many/old/deep; chmod 1751 /usr /var/lib/many/old")


SHARED, OTHER = "/usr/share/shared", "/usr/share/other"


def linked(host: Host) -> None:
    """Have a machine with whiteouts that are to turn into directories, and the reverse, and with a private directory.

    The host has a link where that lies, by now.
    """
    theirs = Package("their", files={"/usr/lib/two/sub/theirs": "theirs"})
    hidden = Package("hidden", files={f"{SHARED}/hidden": ""}, directories=(SHARED,))
    publish(
        host, directory("/usr/lib/one", "theirs"), theirs, hidden, Package("tool", "2", files={"/usr/bin/tool": ""})
    )
    host.zypper("install", "filesystem", "their", "hidden")
    host.sh(f"touch {SHARED}/not-owned; mkdir {OTHER}; touch {OTHER}/not-owned")
    private = "mkdir -m 700 /usr/lib/one/sub; chown 1:1 /usr/lib/one/sub; echo secret > /usr/lib/one/sub/mine"
    change = f"{' '.join(host.rpm)} -e hidden; rm -r {SHARED} {OTHER}/not-owned; zypper -n install tool"
    assert toy(host, "sh", "-ec", f"{private}; {change}").returncode == 0
    older = Package("tool", files={"/usr/bin/tool": "older", f"{OTHER}/older": ""}, directories=(OTHER,))
    publish(host, link("/usr/lib/one", "two"), Package("shown", files={f"{SHARED}/shown": ""}), older)
    host.zypper("update")
    host.zypper("install", "shown", "tool=1")


def is_mine(host: Host, eighth: str) -> bool:
    """Say whether the user's files are as he left them."""
    files = f"/var/lib/many/7 /var/lib/many/mine {BUNDLE}/7.pem"
    listed = toy(host, "sh", "-c", f"cat {files}; stat -c %a /var/lib/many/8; cat /var/lib/many/8").stdout
    return listed == f"mine\nmine\nmine\n600\n{eighth}\n"


PARTS = 3
"""How many tests share the points of one launch."""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("prepare", [first, updated])
def test_wherever_a_launch_is_killed_the_next_one_finishes_it(
    host: Host, prepare: Callable[[Host], None], part: int
) -> None:
    prepare(host)
    alter(host, "two")
    keep(host)
    found = points(host)
    once = trees(host)
    alter_again(host)
    assert toy(host, "true").returncode == 0
    twice = trees(host)
    differing = {}
    for index, (call, number, line) in enumerate(sample(found, 'seeded"', most=18)[part::PARTS]):
        back(host)
        alter(host, "two")
        kill(host, call, number)
        if is_changed := index % 3 != 0:
            alter_again(host)
        done = toy(host, "true")
        if (done.returncode, after := trees(host)) != (0, expected := twice if is_changed else once):
            differing[line] = (done.stderr, set(after.splitlines()) ^ set(expected.splitlines()))
    assert differing == {}
    if prepare is updated:
        assert is_mine(host, "one")


UNREADABLE = ("rm seeded", ": > seeded", "echo '[' > seeded", "echo '{}' > seeded", "echo '[0, 1]' > seeded")

CERTIFICATES = f"""
mkdir -p {BUNDLE}; cd {BUNDLE}; rm -f *
for each in 1 7; do echo one > $each.pem; touch --date=@0 $each.pem; done
"""


def test_a_record_of_var_that_cannot_be_read_is_not_all_of_it_the_users(host: Host) -> None:
    publish(host, MANY)
    host.zypper("install", "many")
    host.sh(f"rm -f /usr/sbin/update-ca-certificates; {CERTIFICATES}")
    assert toy(host, "sh", "-c", MINE).returncode == 0
    publish(host, NEXT)
    host.zypper("update")
    keep(host)
    assert toy(host, "true").returncode == 0
    once = trees(host)
    alter_again(host)
    assert toy(host, "true").returncode == 0
    twice = trees(host)
    for damage in UNREADABLE:
        back(host)
        host.sh(CERTIFICATES)
        host.zypper("install", "--force", "many")
        host.sh(f"cd {STATE}/toy; {damage}")
        assert toy(host, "true").returncode == 0
        assert trees(host) == once, damage
        alter_again(host)
        assert toy(host, "true").returncode == 0
        assert trees(host) == twice, damage
    assert is_mine(host, "one 8")


@pytest.mark.parametrize("part", range(PARTS))
def test_no_directory_of_an_upper_is_left_with_other_rights_nor_shows_what_was_hidden(host: Host, part: int) -> None:
    linked(host)
    keep(host)
    found = points(host)
    expected = trees(host)
    assert f"toy/overlay{OTHER} c 0" in expected
    assert "toy/overlay/usr/lib/two/sub 700 1:1" in expected
    in_upper = [point for point in found if "/toy/overlay/usr" in point[2]]
    differing = {}
    for call, number, line in in_upper[part::PARTS]:
        back(host)
        kill(host, call, number)
        done = toy(host, "true")
        if (done.returncode, after := trees(host)) != (0, expected):
            differing[line] = (done.stderr, set(after.splitlines()) ^ set(expected.splitlines()))
    assert differing == {}
