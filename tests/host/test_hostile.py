# SPDX-License-Identifier: GPL-2.0-or-later
"""What root in an overlay, and other users of the host, may try: the host is not touched, and nobody waits for them."""

import json
import signal
import subprocess
import zlib
from pathlib import Path

import pytest
from backends import FILE
from host import Host
from image import RPMS, publish
from overlay import refused, start, toy
from packages import Package, build
from truth import OVERLAY, packages

DATABASE = "/usr/lib/sysimage/rpm"
SET = "/usr/lib/sysimage/rpm-headers"
STATE = "/var/lib/toy/toy"
FILE_TO_REMOVE = {"path": "/x", "mode": 33188, "digest": "", "target": "", "kept": False, "owner": "root:root"}
UPPER_SET = f"""cd {STATE}/overlay{SET}; python3 -c '
import json, os, stat
names = {{name: os.lstat(name).st_mode for name in os.listdir() if name.endswith(".hdr")}}
print(json.dumps({{"files": [name for name in names if stat.S_ISREG(names[name])],
                  "whiteouts": [name for name in names if stat.S_ISCHR(names[name])]}}))'"""
"""Prints what a plan says of the overlay's part of the header set."""

OTHER = {"rpmdb.sqlite": "rpmdb.sqlite-wal", "Packages.db": "Index.db"}[FILE]
"""Another file of a database."""

# With ndb, rpm itself waits for the lock of a file that everybody can lock.
OF_SQLITE = [f"{DATABASE}/{FILE}"] if FILE == "rpmdb.sqlite" else []

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

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


@pytest.fixture
def victim(host: Host) -> Host:
    """A host with a file that nobody is to touch, and a machine with something of its own."""
    host.write("/CANARY", "precious")
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    return host


def is_unharmed(host: Host) -> bool:
    return host.sh("cat /CANARY; ls -A /hidden /created 2>/dev/null || :") == "precious"


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
        line = f"toy: the rpm database in {STATE}/rpmdb is being written to; try again when that is done\n"
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


class TestTree:
    """What root in an overlay leaves in its files leads nobody elsewhere, and keeps nobody for long."""

    @pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp", "usr", "var"])
    def test_a_link_where_nspawn_goes_before_it_is_in_the_machine(self, victim: Host, name: str) -> None:
        path = f"{STATE}/overlay/{name}"
        victim.sh(f"mkdir /srv/aside; rm -rf {path}; ln -s /srv/aside {path}")
        said = refused(victim, *OVERLAY, "true")
        assert said.startswith(f"{path} is not a directory; move it away: ")
        assert victim.sh("ls -A /srv/aside") == ""
        victim.sh(said.partition("move it away: ")[2])
        victim.run(*OVERLAY, "true")

    @pytest.mark.parametrize("make", ["mkfifo", "ln -s /srv/id"])
    def test_a_machine_id_that_is_no_file(self, victim: Host, make: str) -> None:
        path = f"{STATE}/overlay/etc/machine-id"
        victim.sh(f"mkdir -p {STATE}/overlay/etc; {make} {path}; mkfifo /srv/id")
        said = refused(victim, *OVERLAY, "true")
        assert said.startswith(f"{path} is not a regular file; move it away: ")
        victim.sh(said.partition("move it away: ")[2])
        victim.run(*OVERLAY, "rm", "/etc/machine-id")
        victim.run(*OVERLAY, "true")

    def test_tmpfiles_that_lead_into_a_home(self, victim: Host) -> None:
        victim.sh("mkdir -p /root; touch /root/precious; chmod 600 /root/precious")
        victim.run(*OVERLAY, "sh", "-c", "ln -s /root /var/lib/link; mkdir -p /etc/tmpfiles.d")
        lines = "d /var/lib/link/written 0755\nZ /var/lib/link/precious 0777\n"
        victim.write(f"{STATE}/overlay/etc/tmpfiles.d/own.conf", lines)
        assert toy(victim, "true").returncode == 0
        assert victim.sh("ls -d /root/written 2>/dev/null || stat --format=%a /root/precious") == "600\n"

    def test_a_stamp_of_a_billion_packages(self, victim: Host) -> None:
        stamp = zlib.compress(f"{64 * '0'}\n1 {10**12} 0".encode())
        victim.run_bytes("sh", "-c", f"cat > {STATE}/overlay{SET}/.stamp", content=stamp)
        victim.zypper("remove", "legacy")
        assert "hello-1" in packages(victim, *OVERLAY)

    @pytest.mark.parametrize("where", ["rpmdb", "var/cache/zypp/solv/@System"])
    def test_directories_deeper_than_python_goes(self, victim: Host, where: str) -> None:
        victim.sh(f"mkdir -p {STATE}/{where}; cd {STATE}/{where}; mkdir -p $(printf 'd/%.0s' $(seq 1500))")
        for package in ("legacy", "library"):
            victim.zypper("remove", package)
            assert "hello-1" in packages(victim, *OVERLAY)


class TestOtherUsers:
    """Other users of the host."""

    @pytest.mark.parametrize("path", [SET, f"{SET}/.stamp", DATABASE, f"{DATABASE}/.rpm.lock", *OF_SQLITE])
    def test_nobody_waits_for_their_locks(self, victim: Host, path: str) -> None:
        lock = ("flock", "--shared", path, "sh", "-c", "echo waiting; read line")
        process = subprocess.Popen(victim.command(*NOBODY, *lock), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        for command in (("toy", "dump"), (*OVERLAY, "true"), ("toy", "status")):
            assert victim.run(*command, timeout=60).returncode == 0
        victim.sh(f"{' '.join(victim.rpm)} -e legacy", timeout=60)
        process.communicate()

    def test_they_can_lock_nothing_that_is_locked(self, victim: Host) -> None:
        process = start(victim, "toy", "--", "sh", "-c", "echo waiting; read line")
        paths = f"{SET}/.lock /run/toy /var/lib/toy /var/lib/toy/toy"
        assert victim.sh(f"stat --format='%a %U' {paths}").splitlines() == 4 * ["700 root"]
        assert victim.run(*NOBODY, "flock", f"{SET}/.lock", "true", check=False).returncode != 0
        process.communicate()

    @pytest.mark.parametrize("mask", ["000", "077", "022"])
    def test_modes_are_the_same_whatever_the_umask(self, host: Host, mask: str) -> None:
        host.sh(f"umask {mask}; toy -- zypper -n install hello")
        modes = host.sh(
            f"cd {STATE}; stat --format='%a %n' . .. overlay var rpmdb rpmdb/* base log seen 2>/dev/null || :"
        )
        wanted = {".": "700", "..": "700", "overlay": "755", "var": "755", "rpmdb": "755", f"rpmdb/{FILE}": "644"}
        found = {name: mode for mode, name in map(str.split, modes.splitlines())}
        assert wanted.items() <= found.items()
        assert host.sh(f"umask {mask}; toy -- sh -c umask") == "0022\n"
        assert host.run("stat", "--format=%a", "/run/toy").stdout == "700\n"

    def test_a_directory_that_they_could_write_in_before_is_taken_from_them(self, host: Host) -> None:
        host.sh("mkdir -m 777 /run/toy; mkdir -pm 777 /var/lib/toy/toy; chmod 777 /var/lib/toy")
        host.run(*OVERLAY, "true")
        assert host.sh("stat --format=%a /run/toy /var/lib/toy /var/lib/toy/toy").split() == 3 * ["700"]

    @pytest.mark.parametrize("script", ["mkdir /run/toy; chown 65534 /run/toy", "ln -s /tmp /run/toy"])
    def test_a_directory_of_theirs_is_refused(self, host: Host, script: str) -> None:
        host.sh(script)
        assert refused(host, *OVERLAY, "true").startswith("/run/toy is not a directory of root's; ")

    def test_their_datagrams_are_nothing_to_a_launch(self, host: Host) -> None:
        own = ("unshare", "--net")  # that of the datagrams
        script = "echo waiting; read line; exit 7"
        process = subprocess.Popen(
            host.command(*own, "toy", "--", "sh", "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        abstract = [line for line in host.sh(f"cat /proc/{process.pid}/net/unix").splitlines() if " @" in line]
        assert abstract == []
        assert host.run(*NOBODY, "ls", "/run/toy", check=False).returncode != 0
        process.communicate()
        assert process.returncode == 7

    def test_a_queue_for_one_datagram_is_enough(self, host: Host) -> None:
        script = "echo 1 > /proc/sys/net/unix/max_dgram_qlen; toy -- sh -c 'exit 7'"
        done = host.run(
            "unshare", "--net", "--mount", "sh", "-c", f"mount -t proc proc /proc; {script}", check=False, timeout=60
        )
        assert done.returncode == 7


class TestRecords:
    """Records of toy's own are data: damaged ones make nobody touch the host."""

    NAMES = ("/CANARY", "../../../../CANARY", "x/../../CANARY", "a\\u0000b", "", "\\udcff", ".", "x-1-1.noarch.hdr")

    def test_base(self, victim: Host) -> None:
        for name in self.NAMES:
            for content in ([name], {"version": 1, "headers": [name]}):
                victim.write(f"{STATE}/base", json.dumps(content))
                assert "hello-1" in packages(victim, *OVERLAY)
                assert is_unharmed(victim)

    def test_plan(self, victim: Host) -> None:
        base = json.loads(victim.sh(f"cat {STATE}/base"))["headers"]
        victim.sh(f"{' '.join(victim.rpm)} -e legacy")
        for name in self.NAMES:
            self.refuses_plan(victim, base, upper={"files": [name], "whiteouts": []})
        for name in self.NAMES[1:]:
            self.refuses_plan(victim, base, hide=[name])
            self.refuses_plan(victim, base, remove=[{**FILE_TO_REMOVE, "path": name}])
        self.refuses_plan(victim, base, caches=[{"path": "/etc/ld.so.cache", "command": ["rm", "/CANARY"]}])
        self.store_plan(victim, base, hide=["/usr/bin/editor"])  # one that a launch could have made is finished
        toy(victim, "true")
        assert toy(victim, "ls", "/usr/bin/editor").returncode != 0
        assert is_unharmed(victim)

    @staticmethod
    def store_plan(victim: Host, base: list[str], **fields: object) -> None:
        lists = ("remove", "uncover", "show", "merge", "clear", "follow", "hide", "drop")
        plan: dict[str, object] = {
            "version": 1,
            "host": base,
            "since_base": {"added": [], "removed": []},
            "upper": json.loads(victim.sh(UPPER_SET)),
            "stand_ins": {},
            "operations": {"sweep": False} | {name: fields.pop(name, []) for name in lists},
            "caches": [],
            "events": [],
        }
        victim.write(f"{STATE}/intent", json.dumps(plan | fields))

    def refuses_plan(self, victim: Host, base: list[str], **fields: object) -> None:
        self.store_plan(victim, base, **fields)
        for command in ((*OVERLAY, "true"), ("toy", "status")):
            assert refused(victim, *command).startswith(f"{STATE}/intent is damaged")
        assert is_unharmed(victim)

    @pytest.mark.parametrize("record", ["base", "intent", "seeded", "keys"])
    def test_a_later_toys_is_refused(self, victim: Host, record: str) -> None:
        path = f"{STATE}/{record}"
        victim.sh(f"{' '.join(victim.rpm)} -e legacy; cp {path} /tmp/record 2>/dev/null || :")
        victim.write(path, '{"version": 2}')
        line = refused(victim, *OVERLAY, "true")
        assert line == f"{path} is of a later version of toy; use that one, or another machine: toy -n NAME"
        assert victim.sh(f"cat {path}") == '{"version": 2}'
        victim.sh(f"cp /tmp/record {path} 2>/dev/null || rm {path}")
        assert packages(victim, *OVERLAY) == packages(victim) | {"hello-1"}

    def test_an_earlier_toys_are_taken_over(self, victim: Host) -> None:
        script = """cd /var/lib/toy/toy; python3 -c '
import json
base, seeded = (json.load(open(name)) for name in ("base", "seeded"))
json.dump(base["headers"], open("base", "w"), indent=0)
json.dump([seeded["owned"], seeded["came"]], open("seeded", "w"), indent=0)'"""
        victim.sh(f"{script}; {' '.join(victim.rpm)} -e legacy")
        done = toy(victim, "true")
        assert (done.returncode, done.stderr) == (0, "")  # nothing had to be guessed
        assert packages(victim, *OVERLAY) == packages(victim) | {"hello-1"}
        assert json.loads(victim.sh(f"cat {STATE}/base"))["version"] == 1

    @pytest.mark.parametrize("record", ["base", "seeded"])
    def test_what_is_no_record(self, victim: Host, record: str) -> None:
        for content in ("[" * 100000, "1" * 5000, "NaN", '{"a": 1}', "\xff"):
            victim.write(f"{STATE}/{record}", content)
            victim.run("touch", f"/usr/lib/sysimage/rpm/{FILE}")
            assert "hello-1" in packages(victim, *OVERLAY)

    def test_seeded(self, victim: Host) -> None:
        status = victim.sh("stat --format='%f 0:0 %.9Y' /CANARY").split()
        digest = victim.sh("sha256sum < /CANARY").split()[0]
        looks = f"{int(status[0], 16):o} 0:0 {status[2].replace('.', '')} {digest}"
        for version, name in enumerate(("/CANARY", "../../../../CANARY", "a\\u0000b", "x/../../../../../CANARY")):
            victim.write(f"{STATE}/seeded", f'[{{}}, {{"{name}": "{looks}"}}]')
            publish(victim, Package("new", f"{version}"))
            victim.zypper("install", "new")
            assert toy(victim, "true").returncode == 0
            assert is_unharmed(victim)

    def test_seen(self, victim: Host) -> None:
        toy(victim, "true")
        victim.sh(f"mkdir /elsewhere; sed -i 's,\\x00/\\x00end,\\x00/elsewhere\\x00end,' {STATE}/seen")
        assert toy(victim, "sh", "-c", "test -e /usr/bin/hello && test -e /usr/bin/editor").returncode == 0


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
        until_loaded(process.pid)
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

    def test_a_signal_ends_an_nspawn_that_does_not_come_up(self, host: Host) -> None:
        toy(host, "true")
        script = '[ "$1" = --help ] && exec /usr/bin/systemd-nspawn "$@"; echo waiting; exec sleep 1000'
        host.write("/usr/local/sbin/systemd-nspawn", f"#!/bin/sh\n{script}\n")
        host.sh("chmod +x /usr/local/sbin/systemd-nspawn")
        process = start(host, "toy", "--", "true")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
        assert process.returncode == 125
        assert said.startswith(b"toy: interrupted, and nothing is half done")

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
        assert "the next launch" in line
        victim.sh(f"mv /aside {SET}")
        assert "hello-1" not in packages(victim, *OVERLAY)


def until_loaded(pid: int) -> None:
    """Wait until a launch has loaded what its end needs: it has librpm, and waits for its command again."""
    process = Path(f"/proc/{pid}")
    while b"librpm" not in (process / "maps").read_bytes() or "poll" not in (process / "wchan").read_text():
        pass
