# SPDX-License-Identifier: GPL-2.0-or-later
"""What the administrator sets for a machine in a settings file, and what shows of an environment."""

from pathlib import Path

import pytest
from host import Host
from overlay import record, refused, start, toy, until_nothing_is_to_be_done
from truth import OVERLAY, packages

FILE = "/etc/systemd/nspawn/toy.nspawn"


def set_(host: Host, section: str, *lines: str) -> None:
    host.write(FILE, "\n".join([f"[{section}]", *lines, ""]))


MOUNTS = (
    *("Bind=/srv/a", "BindReadOnly=/srv/b:/mnt/b", "Bind=/srv/a:/var/lib/a", r"Bind=/srv/c\:d:/mnt/c\:d"),
    *("TemporaryFileSystem=/opt/t:mode=700", "OverlayReadOnly=/srv/a:/srv/b:/mnt/both", "Inaccessible=/usr/bin/legacy"),
)


@pytest.mark.everywhere
def test_mounts(host: Host) -> None:
    host.sh("mkdir /srv/a /srv/b; echo a > /srv/a/file; echo b > /srv/b/other; echo c > /srv/c:d; echo r > /root/r")
    # What systemd makes at the boot, for Inaccessible=.
    host.sh("mkdir -p /run/systemd/inaccessible; touch /run/systemd/inaccessible/reg")
    host.sh("chmod 0 /run/systemd/inaccessible/reg")
    set_(host, "Files", *MOUNTS)
    script = """
    cat /srv/a/file /mnt/b/other /mnt/c:d /var/lib/a/file /root/r; ls /mnt/both; stat --format=%a /opt/t
    stat --format=%a /usr/bin/legacy
    echo new > /srv/a/new; echo new 2>/dev/null > /mnt/b/new || echo read-only
    """
    assert toy(host, "sh", "-c", script).stdout == "a\nb\nc\na\nr\nfile\nother\n700\n0\nread-only\n"
    assert host.sh("cat /srv/a/new") == "new\n"
    assert packages(host, *OVERLAY) == packages(host)


def test_environment(host: Host) -> None:
    set_(host, "Exec", "Environment=ONE=1 'TWO=a b'", "Environment=http_proxy=theirs THREE=\\", "3 \\")
    caller = {"http_proxy": "caller", "https_proxy": "http://u:p'w\"x\\@h", "no_proxy": "a, b", "ftp_proxy": "c\\"}
    shown = ["ONE", "TWO", "THREE", *caller]
    said = toy(host, "sh", "-c", "; ".join(f'echo "${name}"' for name in shown), env=caller).stdout.splitlines()
    assert said == ["1", "a b", "", "theirs", *list(caller.values())[1:]]


@pytest.mark.parametrize(("settings", "lang"), [(None, "C"), ("Hostname=x", "C"), ("Environment=LANG=POSIX", "POSIX")])
def test_a_variable_that_nspawn_sets_as_well(host: Host, settings: str | None, lang: str) -> None:
    if settings:
        set_(host, "Exec", settings)
    assert toy(host, "sh", "-c", "echo $LANG", env={"LANG": "C"}).stdout == f"{lang}\n"


def test_the_process(host: Host) -> None:
    host.sh("useradd alice")
    lines = ("User=alice", "WorkingDirectory=/srv", "Hostname=other", "LimitNOFILE=77", "OOMScoreAdjust=5")
    set_(host, "Exec", *lines, "NoNewPrivileges=yes", "SystemCallFilter=~mknod mknodat")
    script = "id -un; pwd; cat /proc/sys/kernel/hostname; ulimit -n; cat /proc/self/oom_score_adj; mkfifo /tmp/x"
    done = toy(host, "sh", "-c", f"{script}; grep NoNewPrivs /proc/self/status")
    assert done.stdout == "alice\n/srv\nother\n77\n5\nNoNewPrivs:\t1\n"
    assert done.stderr == "mkfifo: cannot create fifo '/tmp/x': Operation not permitted\n"


def test_the_machine_that_it_seems_to_be(host: Host) -> None:
    set_(host, "Exec", "Personality=x86", "CPUAffinity=0")
    assert toy(host, "sh", "-c", "uname -m; nproc").stdout == "i686\n1\n"


def test_capabilities(host: Host) -> None:
    set_(host, "Exec", "Capability=CAP_BPF", "DropCapability=CAP_CHOWN")
    script = "sed -n 's/CapEff:\\s*//p' /proc/self/status"
    effective = int(toy(host, "sh", "-c", script).stdout, 16)
    assert (effective >> 39 & 1, effective & 1) == (1, 0)  # capabilities(7): linux/capability.h has the numbers


def test_capabilities_of_another_user(host: Host) -> None:
    host.sh("useradd alice")
    set_(host, "Exec", "User=alice", "AmbientCapability=CAP_NET_RAW", "Capability=CAP_NET_RAW")
    script = "sed -n 's/Cap\\(Inh\\|Prm\\|Eff\\|Amb\\):\\s*//p' /proc/self/status"
    assert [int(mask, 16) for mask in toy(host, "sh", "-c", script).stdout.split()] == 4 * [1 << 13]
    set_(host, "Exec", "User=alice")
    assert [int(mask, 16) for mask in toy(host, "sh", "-c", script).stdout.split()] == 4 * [0]


def test_network(host: Host) -> None:
    set_(host, "Network", "Private=yes")
    assert toy(host, "ls", "/sys/class/net").stdout == "lo\n"


def test_what_toy_sets_otherwise_by_itself(host: Host) -> None:
    host.write("/etc/resolv.conf", "nameserver 192.0.2.7\n")
    toy(host, "sh", "-c", "echo nameserver 192.0.2.8 > /etc/resolv.conf")
    set_(host, "Exec", "ResolvConf=copy-host")
    assert toy(host, "cat", "/etc/resolv.conf").stdout == "nameserver 192.0.2.7\n"


def test_it_is_said_in_one_line(host: Host) -> None:
    until_nothing_is_to_be_done(host)
    before = record(host)
    set_(host, "Exec", "Ephemeral=yes")
    assert refused(host, *OVERLAY, "true") == f"{FILE} says Ephemeral=yes, which toy cannot do; remove that line"
    host.sh(f"mv {FILE} /var/lib/machines")
    beside = "/var/lib/machines/toy.nspawn"
    assert refused(host, *OVERLAY, "true") == (
        f"systemd-nspawn ignores some settings in {beside}, since it does not trust that directory;"
        f" move the file: mkdir -p /etc/systemd/nspawn && mv {beside} /etc/systemd/nspawn"
    )
    host.sh("rm /var/lib/machines/toy.nspawn")
    toy(host, "true")
    assert record(host) == before


def test_where_it_may_lie(host: Host) -> None:
    host.write("/run/systemd/nspawn/toy.nspawn", "[Exec]\nEnvironment=WHERE=run\n")
    host.write("/etc/systemd/nspawn/other.nspawn", "[Exec]\nEnvironment=WHERE=other\n")
    show = ("sh", "-c", "echo $WHERE; echo works >/dev/null")
    assert toy(host, *show).stdout == "run\n"
    assert host.run("toy", "-n", "other", "--", *show).stdout == "other\n"
    set_(host, "Exec", "Environment=WHERE=etc")
    assert toy(host, *show).stdout == "etc\n"
    host.sh(f"ln -sf /dev/null {FILE}")
    assert toy(host, *show).stdout == "\n"


def test_changes_are_noticed_and_cost_nothing_else(host: Host) -> None:
    until_nothing_is_to_be_done(host)
    before = record(host)
    for value in ("one", "two"):
        set_(host, "Exec", f"Environment=VALUE={value}")
        assert toy(host, "sh", "-c", "echo $VALUE").stdout == f"{value}\n"
    host.sh(f"rm {FILE}")
    assert toy(host, "sh", "-c", "echo $VALUE").stdout == "\n"
    assert record(host) == before


SECRET = "hunter2"


@pytest.mark.parametrize("line", ["", f"Environment=MORE={SECRET}"], ids=["alone", "with settings"])
def test_no_value_of_the_environment_shows_to_others(host: Host, line: str) -> None:
    if line:
        set_(host, "Exec", line)
        host.sh(f"chmod 600 {FILE}")
    proxy = f"http_proxy=http://user:{SECRET}@proxy"
    process = start(host, "env", proxy, "toy", "--", "sh", "-c", "echo waiting; exec sleep 1000")
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    readable = host.run("setpriv", "--reuid", "1", "--clear-groups", "grep", "-rs", SECRET, "/run", "/tmp", check=False)
    process.terminate()
    process.communicate()
    assert any(b"systemd-nspawn" in each for each in lines)
    assert not any(SECRET.encode() in each for each in lines)
    assert readable.stdout == ""
