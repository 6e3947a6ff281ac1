# SPDX-License-Identifier: GPL-2.0-or-later
"""passwd, group and their kin in the overlay get what the host changed, and keep what is the overlay's."""

import struct

import pytest
from host import Host
from image import publish
from overlay import toy
from packages import Package
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
        f" (/etc/passwd; ours is {number} there now, and so are its files)"
    )
    assert group == (
        "toy: clash: ours has number 7003 on the host, 7001 in the overlay"
        " (/etc/group; ours is 7003 there now, and so are its files)"
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
        f"{clash} (/etc/{table}; svca is 895 there now, and so are its files)" for table in ("passwd", "group")
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
        "toy: clash: number 899 belongs to svcb on the host, to svca in the overlay (/etc/group; svca is"
    )
    assert toy(host, "stat", "-c", "%u", "/srv/a").stdout == "899\n"


SWAP = "userdel svca; userdel svcb; {}; {}".format(SYSTEM.format("svca", 898), SYSTEM.format("svcb", 899))
"""Has the host give two accounts each other's numbers."""

LOG = "/var/lib/toy/toy/log"


@pytest.mark.parametrize("script", ["true", "useradd x"], ids=["the host's", "its own"])
def test_numbers_that_the_host_swapped(host: Host, script: str) -> None:
    host.sh(f"{SYSTEM.format('svca', 899)}; {SYSTEM.format('svcb', 898)}")
    places = [f"{top}/{name}" for top in ("/srv", "/var/lib") for name in ("svca", "svcb")]
    make = "; ".join(f"install -d -o {place[-4:]} -g {place[-4:]} {place}" for place in places)
    host.run(*OVERLAY, "sh", "-ec", f"{script}; {make}")
    host.sh(SWAP)
    assert toy(host, "true").stderr == ""
    assert toy(host, "stat", "-c", "%U:%G", *places).stdout.split() == ["svca:svca", "svcb:svcb"] * 2
    assert [line.split(" ", 1)[1] for line in host.sh(f"cat {LOG}").splitlines()] == [
        f"followed: the host (/etc/{table}: {name} is {to}, and so are its files; it was {number})"
        for table in ("passwd", "group")
        for name, number, to in (("svca", 899, 898), ("svcb", 898, 899))
    ]
    assert toy(host, "sh", "-c", "pwck -rq; grpck -r && echo well").stdout == "well\n"
    assert toy(host, "true").stderr == ""


KILLED = """
import os, pathlib, shutil, sys
sys.path.insert(0, "/usr/lib/toy")
from toy.machine import Machine
from toy.following import accounts

CALLS = ("chown", "fchown", "rename", "unlink")
MACHINES = pathlib.Path("/var/lib/toy")


def follow(machine, calls):
    left = iter(range(calls))

    def counted(call):
        def wrapper(*arguments, **named):
            if next(left, None) is None:
                os._exit(9)
            return call(*arguments, **named)
        return wrapper

    child = os.fork()
    if not child:
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        told = open(f"{machine.directory}/told", "a")
        accounts.follow(machine, lambda events: print(*events, sep="\\n", file=told, flush=True))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


calls = 0
while True:
    os.system(f"cp -a {MACHINES}/toy {MACHINES}/x{calls}")
    machine = Machine(f"x{calls}")
    first = follow(machine, calls)
    print(calls, first, follow(machine, 9999), machine.directory)
    if first == 0:
        break
    calls += 1
"""
"""Has a machine's accounts follow the host's, killed before each call that changes something, and once more then."""


@pytest.mark.parametrize("script", ["true", "useradd x"], ids=["the host's", "its own"])
def test_whatever_interrupts_it_the_next_launch_goes_on(host: Host, script: str) -> None:
    host.sh(f"{SYSTEM.format('svca', 899)}; {SYSTEM.format('svcb', 898)}")
    make = f"{script}; {SYSTEM.format('svcc', 897)}" if script != "true" else script
    places = [f"{top}/{name}" for top in ("/srv", "/var/lib") for name in ("svca", "svcb")]
    make += "".join(f"; touch {place}; chown {place[-4:]}:{place[-4:]} {place}" for place in places)
    host.run(*OVERLAY, "sh", "-ec", make)
    host.sh(f"{SWAP}; {SYSTEM.format('svcd', 897)}")
    tried = [line.split() for line in host.run("/usr/bin/python3", "-c", KILLED).stdout.splitlines()]
    assert len(tried) > 20
    assert [status for _, status, *_ in tried] == ["9"] * (len(tried) - 1) + ["0"]
    assert {status for _, _, status, _ in tried} == {"0"}
    for *_, machine in tried:
        owners = host.sh(f"cd {machine}; stat -c %u:%g overlay/srv/svc? var/lib/svc?; sort -u told | wc -l")
        assert owners.split() == ["898:898", "899:899"] * 2 + [str(4 if script == "true" else 6)]
        if script != "true":
            passwd = host.sh(f"grep ^svc {machine}/overlay/etc/passwd | cut -d: -f1,3,4")
            assert sorted(passwd.split()) == ["svca:898:898", "svcb:899:899", "svcc:896:896", "svcd:897:897"]
            group = host.sh(f"grep ^svc {machine}/overlay/etc/group | cut -d: -f1,3")
            assert sorted(group.split()) == ["svca:898", "svcb:899", "svcc:896", "svcd:897"]


def test_what_happened_is_logged_before_anything_else_can_fail(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-ec", SYSTEM.format("svca", 899))
    host.sh(f"{SYSTEM.format('svcb', 899)}; mkdir /var/lib/toy/toy/repositories.away")
    host.sh("cd /var/lib/toy/toy; rm -rf repositories; echo > repositories; touch /etc/zypp/repos.d/new.repo")
    failed = toy(host, "true")
    assert failed.returncode == 125
    assert failed.stderr.count("clash: number 899 belongs to svcb on the host, to svca in the overlay") == 2
    logged = host.sh(f"cut -d' ' -f2- {LOG}")
    assert logged.count("clash: number 899 belongs to svcb on the host, to svca in the overlay") == 2
    host.sh("rm /var/lib/toy/toy/repositories")
    assert toy(host, "true").stderr == ""
    assert "number 899 belongs to svcb" in host.run("toy", "status").stdout


def test_what_came_from_the_host_with_a_number_still_follows_it(host: Host) -> None:
    versions = [Package("svc", str(number), files={"/var/lib/svc": str(number)}, owner="svca") for number in (1, 2, 3)]
    host.sh(f"{SYSTEM.format('svca', 899)}; {SYSTEM.format('svcb', 898)}")
    for number, package in enumerate(versions, 1):
        publish(host, package)
        host.zypper("update" if number > 1 else "install", "svc")
        assert toy(host, "sh", "-c", "cat /var/lib/svc; stat -c %U /var/lib/svc").stdout.split() == [
            str(number),
            "svca",
        ]
        if number == 1:
            host.sh(f"{SWAP}; chown svca /var/lib/svc")


def test_another_number_of_an_account_that_the_overlay_has_as_well(host: Host) -> None:
    host.sh(SYSTEM.format("svca", 899))
    host.run(*OVERLAY, "sh", "-ec", "useradd x; install -o svca -d /srv/a")
    host.sh("usermod -u 897 svca")
    assert toy(host, "stat", "-c", "%U %u", "/srv/a").stdout == "svca 897\n"


def test_another_number_that_the_files_cannot_follow(host: Host) -> None:
    host.sh(SYSTEM.format("svca", 899))
    host.run(*OVERLAY, "sh", "-ec", "useradd -o -u 899 -g 899 x; install -o svca -d /srv/a")
    host.sh("usermod -u 897 svca")
    assert toy(host, "id", "-u", "svca").stderr == (
        "toy: clash: svca has number 897 on the host, 899 in the overlay (/etc/passwd)\n"
    )
    assert toy(host, "id", "-u", "svca").stdout == "899\n"


def test_an_account_that_stays_is_waited_for_by_nobody(host: Host) -> None:
    host.sh(SYSTEM.format("svcb", 895))
    host.run(*OVERLAY, "sh", "-ec", f"{SYSTEM.format('svca', 899)}; install -o svca -g svca -d /srv/a")
    host.sh(f"userdel svcb; {SYSTEM.format('svca', 895)}")
    assert toy(host, "true").stderr.splitlines() == [
        f"toy: clash: {what} (/etc/{table})"
        for table in ("passwd", "group")
        for what in (
            "svca has number 895 on the host, 899 in the overlay",
            "number 895 belongs to svca on the host, to svcb in the overlay",
        )
    ]
    assert toy(host, "stat", "-c", "%U:%G", "/srv/a").stdout == "svca:svca\n"
    assert toy(host, "true").stderr == ""


def test_numbers_of_other_systems_are_their_own(host: Host) -> None:
    others = ("/var/lib/machines/x/srv", "/var/lib/containers/x/layer/srv", "/srv/chroot/srv", "/srv/chroot/a/b")
    script = "mkdir -p /srv/chroot/etc; ln -s ../usr/lib/os-release /srv/chroot/etc/os-release"
    script += f"; install -o svca -g svca -d {' '.join(others)} /srv/a /srv/etc/a"
    host.run(*OVERLAY, "sh", "-ec", f"{SYSTEM.format('svca', 899)}; {script}")
    host.sh(f"{SYSTEM.format('svcb', 899)}; {SYSTEM.format('svca', 895)}")
    assert len(toy(host, "true").stderr.splitlines()) == 2
    assert toy(host, "stat", "-c", "%u:%g", *others).stdout.split() == ["899:899"] * len(others)
    assert toy(host, "stat", "-c", "%u:%g", "/srv/a", "/srv/etc/a").stdout.split() == ["895:895"] * 2


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


@pytest.mark.parametrize("number", [99999, 100000, 165535])
def test_ranges_that_both_gave_away(host: Host, number: int) -> None:
    host.sh("echo x:200000:65536 > /etc/subuid; cp /etc/subuid /etc/subgid")
    script = f"for x in u g; do echo alice:100000:65536 >> /etc/sub${{x}}id; done; touch /srv/a; chown {number} /srv/a"
    host.run(*OVERLAY, "sh", "-ec", script)
    host.sh("for x in u g; do echo bob:100000:65536 >> /etc/sub${x}id; done")
    said = toy(host, "true").stderr
    files = toy(host, "cat", "/etc/subuid", "/etc/subgid").stdout.replace("x:200000:65536\n", "").split()
    moved, stays, bob = ("alice:265536:65536", "alice:100000:65536", "bob:100000:65536")
    if number == 99999:
        assert said == ""
        assert files == [moved, bob] * 2
        assert "followed: the host (/etc/subuid: alice has 265536 to 331071; it was 100000 to 165535)" in host.sh(
            f"cat {LOG}"
        )
    else:
        text = "100000 to 165535 belong to alice in the overlay, 100000 to 165535 to bob on the host"
        assert said == f"toy: clash: {text} (/etc/subuid)\n"
        assert files == [stays, bob, moved, bob]
    assert toy(host, "true").stderr == ""


def test_a_range_that_containers_have_numbers_of_stays(host: Host) -> None:
    """Those of a user are the roots of other systems, whose files have none of the overlay's numbers else."""
    root = "/srv/alice/.local/share/containers/storage/overlay/1/diff"
    made = f"mkdir -p {root}/etc; touch {root}/etc/os-release {root}/a; chown 100001 {root}/a"
    host.sh(": > /etc/subuid")
    host.run(*OVERLAY, "sh", "-ec", f"echo alice:100000:65536 >> /etc/subuid; {made}")
    host.sh("echo bob:100000:65536 >> /etc/subuid")
    text = "100000 to 165535 belong to alice in the overlay, 100000 to 165535 to bob on the host"
    assert toy(host, "true").stderr == f"toy: clash: {text} (/etc/subuid)\n"
    assert "alice:100000:65536\n" in toy(host, "cat", "/etc/subuid").stdout


@pytest.mark.parametrize("later", ["true", "useradd x"], ids=["the host's", "its own since then"])
def test_an_account_that_went_and_has_another_number_when_it_comes_back(host: Host, later: str) -> None:
    places = ("/srv/a", "/var/lib/a")
    host.sh(SYSTEM.format("svca", 899))
    host.run(*OVERLAY, "sh", "-ec", f"install -o svca -g svca -d {' '.join(places)}")
    host.sh("userdel svca; groupdel svca 2>/dev/null || :")
    assert toy(host, "sh", "-ec", later).stderr == ""
    host.sh(SYSTEM.format("svcb", 898))
    assert toy(host, "true").stderr == ""
    host.sh(SYSTEM.format("svca", 895))
    assert toy(host, "true").stderr == ""
    assert toy(host, "stat", "-c", "%U:%G %u:%g", *places).stdout.splitlines() == ["svca:svca 895:895"] * 2
    log = host.sh(f"cat {LOG}")
    assert "followed: the host (/etc/passwd: svca is 895, and so are its files; it was 899)" in log
    assert toy(host, "true").stderr == ""


def test_an_account_that_went_and_whose_number_another_has(host: Host) -> None:
    host.sh(SYSTEM.format("svca", 899))
    host.run(*OVERLAY, "install", "-o", "svca", "-d", "/srv/a")
    host.sh("userdel svca; groupdel svca 2>/dev/null || :")
    toy(host, "true")
    host.sh(SYSTEM.format("svcb", 899))
    clash = "toy: clash: number 899 belongs to svcb on the host, to svca in the overlay (/etc/passwd)\n"
    assert toy(host, "true").stderr == clash
    assert toy(host, "true").stderr == ""
    host.sh(SYSTEM.format("svca", 895))
    clash = "toy: clash: svca has number 895 on the host, 899 in the overlay (/etc/passwd)\n"
    assert toy(host, "stat", "-c", "%u", "/srv/a").stderr == clash
    assert toy(host, "stat", "-c", "%u", "/srv/a").stdout == "899\n"
