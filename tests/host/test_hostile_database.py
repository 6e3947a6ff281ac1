# SPDX-License-Identifier: GPL-2.0-or-later
"""A database that root in an overlay made: nothing on the host is touched, and no launch or `toy status` hangs."""

import signal
import subprocess
from pathlib import Path

import pytest
from backends import FILE
from host import Host
from hostile import DATABASE, SET, STATE, is_unharmed
from image import RPMS
from overlay import keepers, refused, start, toy
from packages import Package, build
from truth import OVERLAY, packages

OTHER = {"rpmdb.sqlite": "rpmdb.sqlite-wal", "Packages.db": "Index.db"}[FILE]
"""Another file of a database."""


# https://www.sqlite.org/fileformat2.html#the_rollback_journal: one without pages, with the name of a super-journal.
JOURNAL = """
import os, sqlite3, sys
os.chdir("/usr/lib/sysimage/rpm")
sqlite3.connect("rpmdb.sqlite").execute("pragma journal_mode = delete").fetchall()
magic, page, name = bytes.fromhex("d9d505f920a163d7"), 4096, b"/CANARY"
numbers = (0, 0, os.path.getsize("rpmdb.sqlite") // page, 512, page)
journal = (magic + b"".join(number.to_bytes(4, "big") for number in numbers)).ljust(512, b"\\0")
end = ((0x40000000 // page + 1), len(name), sum(name))
journal += end[0].to_bytes(4, "big") + name + end[1].to_bytes(4, "big") + end[2].to_bytes(4, "big") + magic
open("rpmdb.sqlite-journal", "wb").write(journal)
"""


# The database comes to be a link to nothing and a file again, all the time: SQLite would make what the link names.
SWAP = """
os.unlink("rpmdb.sqlite-journal")
os.link("rpmdb.sqlite", "real")
print("waiting", flush=True)
while not os.path.exists("/var/stop"):
    os.symlink("/created", "new")
    os.rename("new", "rpmdb.sqlite")
    os.link("real", "new")
    os.rename("new", "rpmdb.sqlite")
"""


class TestDatabase:
    """A machine's database is read from a private copy, in a process that can do nothing else."""

    def test_a_hot_journal_is_not_accepted(self, victim: Host) -> None:
        script = f"{JOURNAL}\nprint('waiting', flush=True)\nsys.stdin.read()"
        process = subprocess.Popen(
            victim.command("toy", "--", "/usr/bin/python3", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        assert "added: hello 1-1" in victim.run("toy", "status").stdout
        victim.run("toy", "diff")
        process.communicate()
        victim.sh(f"{' '.join(victim.rpm)} -e legacy")  # and the next launch makes another one from it
        assert "hello-1" in packages(victim, *OVERLAY)
        assert is_unharmed(victim)

    def test_a_link_in_its_place_is_not_followed(self, victim: Host) -> None:
        process = start(victim, "toy", "--", "/usr/bin/python3", "-c", JOURNAL + SWAP)
        for verb in 5 * ("status", "diff"):
            victim.run("toy", verb, check=False)
            assert is_unharmed(victim)
        victim.sh(f"touch {STATE}/var/stop")
        process.communicate()
        assert victim.sh(f"ls {STATE}/rpmdb.new 2>/dev/null || :") == ""

    @pytest.mark.parametrize(
        "script",
        [
            "ln -s /created $file",
            "ln -s /etc/passwd $file",
            "mkfifo $file",
            "mkdir $file",
            "mknod $file c 1 5",
            "ln -s /dev/zero $file",
            "rm -f $other; truncate -s 10T $file $other",
            "mv moved $file; rm -f $other; ln -s /etc/passwd $other",
        ],
    )
    def test_what_is_no_database_is_one_line(self, victim: Host, script: str) -> None:
        victim.sh(f"file={FILE} other={OTHER}; cd {STATE}/rpmdb; mv $file moved; rm -f $file-*; {script}")
        for command in (("toy", "status"), ("toy", "diff"), (*OVERLAY, "true")):
            assert f"{STATE}/rpmdb" in refused(victim, *command)
        assert is_unharmed(victim)

    def test_nobody_waits_for_one_that_is_written_to_all_the_time(self, victim: Host) -> None:
        script = f"echo waiting; while [ ! -e /var/stop ]; do touch {DATABASE}/{FILE}; done"
        process = start(victim, "toy", "--", "sh", "-c", script)
        done = victim.run("toy", "status", check=False, timeout=60)
        what = f"the rpm database in {STATE}/rpmdb is being written to"
        line = f"toy: {what}; wait for rpm and zypper to end: ps -C rpm,zypper\n"
        assert done.stderr == (line if done.returncode == 125 else "")  # this machine may have more to do than to write
        victim.sh(f"touch {STATE}/var/stop")
        process.communicate()

    def test_a_confined_process_can_do_nothing(self, victim: Host) -> None:
        uid, *said = victim.run("/usr/bin/python3", "-c", CONFINED).stdout.splitlines()
        assert uid.split()[1:] == [*3 * [uid.split()[1]], "[]"]
        assert int(uid.split()[1]) > 1_900_000_000
        assert said == [
            "write /CANARY: Read-only file system",
            "write /etc/x: Read-only file system",
            "write /usr/x: Read-only file system",
            "write /var/x: Permission denied",
            "write /run/x: Permission denied",
            "kill all: No such process",
            "read /etc/shadow: Permission denied",
            "network: Network is unreachable",
            "setuid: Operation not permitted",
            "mount: mount: Operation not permitted",
            "sees []",
        ]


CONFINED = """
import os, socket, sys
sys.path.insert(0, "/usr/lib/toy")
from toy.confined import confinement

def tried(what, action):
    try:
        print(what, action())
    except OSError as error:
        print(f"{what}: {error.strerror}")

def act(problem):
    os.dup2(out, 1)
    print("uid", *os.getresuid(), os.getgroups())
    for path in ("/CANARY", "/etc/x", "/usr/x", "/var/x", "/run/x"):
        tried(f"write {path}", lambda: open(path, "w"))
    tried("kill all", lambda: os.kill(-1, 9))
    tried("read /etc/shadow", lambda: open("/etc/shadow"))
    tried("network", lambda: socket.socket().connect(("127.0.0.1", 1)))
    tried("setuid", lambda: os.setuid(0))
    tried("mount", lambda: confinement._mount("x", "/mnt", kind="tmpfs", flags=0))
    print("sees", [name for folder in ("/run", "/proc", "/root", "/var") for name in os.listdir(folder)])
    sys.stdout.flush()

reading, out = os.pipe()
pid = confinement.start(act, confinement.Place(), fds=(out,), cpu_seconds=10)
os.close(out)
print(open(reading).read(), end="")
"""


class TestStatus:
    """The command's status is passed on, whatever happens to the bookkeeping."""

    @pytest.mark.parametrize(
        "change",
        [
            "rm -r /usr/lib/toy/toy",
            "for file in $(find /usr/lib/toy/toy -name '*.py'); do echo 1/0 > $file; done",
            "rm -r /usr/lib/python3*",
        ],
    )
    def test_toy_is_replaced_while_a_machine_is_entered(self, victim: Host, change: str) -> None:
        build(victim, [Package("one")], RPMS)
        rpm = " ".join([*victim.rpm, "-i", "--notriggers", f"{RPMS}/one-1-1.noarch.rpm"])
        # Whatever the end of a launch needs is loaded while the command is at work.
        script = f"echo waiting; {rpm} >&2; read line; exit 5"
        process = subprocess.Popen(
            victim.command("toy", "--", "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        (keeper,) = keepers(victim)
        until_loaded(keeper)
        saved = victim.sh("mkdir /saved; cp -a /usr/lib/toy /usr/lib/python3* /saved; echo /saved").strip()
        victim.sh(change)
        process.communicate()
        assert process.returncode == 5
        victim.sh(f"cp -a {saved}/* /usr/lib/")
        assert victim.sh(f"ls {STATE}/overlay{SET}").count("one-1-1") == 1

    def test_signals_while_it_ends(self, host: Host) -> None:
        toy(host, "true")
        for _ in range(5):
            process = start(host, "toy", "--", "sh", "-c", "trap '' INT; echo waiting; exit 7")
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate()
            assert process.returncode == 7

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_a_signal_ends_an_nspawn_that_does_not_come_up(self, host: Host, number: signal.Signals) -> None:
        toy(host, "true")
        script = '[ "$1" = --help ] && exec /usr/bin/systemd-nspawn "$@"; echo waiting >&2; exec sleep 1000'
        host.write("/usr/local/sbin/systemd-nspawn", f"#!/bin/sh\n{script}\n")
        host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
        process = start(host, "sh", "-c", "exec toy -- true 2>&1")
        process.send_signal(number)
        said, _ = process.communicate()
        if number == signal.SIGINT:
            assert process.returncode == 125
            assert said.startswith(b"toy: interrupted, and nothing is left half done")
        else:
            assert (process.returncode, said) == (-number, b"")
        host.sh("rm /usr/local/sbin/systemd-nspawn")
        assert toy(host, "true").returncode == 0
        assert keepers(host) == []

    def test_the_lower_is_gone_at_the_end(self, victim: Host) -> None:
        rpm = " ".join([*victim.rpm, "-e", "--notriggers", "hello"])
        script = f"{rpm}; mkdir -p /var/gone; echo waiting; read line; exit 5"
        process = subprocess.Popen(
            victim.command("toy", "--", "sh", "-c", script),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        victim.sh(f"mv {SET} /aside")
        _, said = process.communicate()
        assert process.returncode == 5
        (line,) = said.splitlines()
        assert "have them adopted: toy -n toy -- true" in line
        victim.sh(f"mv /aside {SET}")
        assert "hello-1" not in packages(victim, *OVERLAY)


def until_loaded(pid: int) -> None:
    """Wait until a keeper has loaded what the end of its machine needs: it has librpm, and waits for toys again."""
    process = Path(f"/proc/{pid}")
    while b"librpm" not in (process / "maps").read_bytes() or "poll" not in (process / "wchan").read_text():
        pass
