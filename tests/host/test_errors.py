# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: one line that names the thing and the next step, status 125, and nothing is lost."""

import re

import pytest
from host import Host
from overlay import refused
from truth import OVERLAY, database, header_set, is_current, packages

SET = "/usr/lib/sysimage/rpm-headers"
DATABASE = "/usr/lib/sysimage/rpm"
UPPER_SET = f"/var/lib/toy/toy/overlay{SET}"


def test_not_root(host: Host) -> None:
    for arguments in ("", " -- true", " dump", " --init", " status --json", " diff 'a b'", " --snapshot 1 -- a '$b'"):
        line = refused(host, "setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", f"exec toy{arguments}")
        assert line == f"toy must run as root; try: sudo toy{arguments}"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/", "a b", "-", "a-", ".hidden", "a\nb", "ä", "x" * 65]
)
def test_a_bad_name(host: Host, name: str) -> None:
    assert "cannot be the name of a machine; use 1 to 64" in refused(host, "toy", f"--name={name}", "--", "true")
    assert host.run("ls", "-A", "/var/lib/toy").stdout == ""


def test_a_name_may_have_64_characters(host: Host) -> None:
    assert host.run("toy", "-n", "x" * 64, "--", "printenv", "TOY").stdout.strip() == "x" * 64


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ls"], "'ls' is no verb of toy; to run a command: toy -- ls"),
        (["strace", "-p", "1"], "'strace' is no verb of toy; to run a command: toy -- strace -p 1"),
        (["-n", "x", "sh", "-c", "a b"], "'sh' is no verb of toy; to run a command: toy -n x -- sh -c 'a b'"),
        (
            ["--name=x", "tar", "c", "--", "-f"],
            "'tar' is no verb of toy; to run a command: toy --name=x -- tar c -- -f",
        ),
        (["--snapshot", "default", "ls"], "'ls' is no verb of toy; to run a command: toy --snapshot default -- ls"),
        (["diff", "a b", "c"], "unrecognized arguments: c; to run a command: toy -- diff 'a b' c"),
        (["-p", "1"], "unrecognized arguments: -p; see: toy --help"),
        (["status", "--nonsense"], "unrecognized arguments: --nonsense; see: toy --help"),
        (["--nonsense"], "unrecognized arguments: --nonsense; see: toy --help"),
        (["dump", "--nonsense"], "unrecognized arguments: --nonsense; see: toy --help"),
        (["dump", "--", "true"], "toy dump does not take a command; see: toy --help"),
        (["--"], "no command after --; for a shell, just: toy"),
        (["-n"], "argument -n/--name: expected one argument; see: toy --help"),
        (
            ["dump", "--root", "/no/such"],
            "cannot enter the root /no/such: No such file or directory;"
            " give the directory of a root: toy dump --root DIR",
        ),
        (
            ["dump", "--root", "/etc/passwd"],
            "cannot enter the root /etc/passwd: Not a directory; give the directory of a root: toy dump --root DIR",
        ),
    ],
)
def test_bad_arguments(host: Host, arguments: list[str], line: str) -> None:
    assert refused(host, "toy", *arguments) == line


def test_no_nspawn(host: Host) -> None:
    host.run("rm", "/usr/bin/systemd-nspawn")
    line = refused(host, *OVERLAY, "true")
    assert line == "systemd-nspawn is not installed; install it: zypper install systemd-container"


@pytest.mark.parametrize("which", ["default", "2", "x"])
@pytest.mark.parametrize("breakage", [":", "rm $(command -v btrfs)", "mkdir -p /.snapshots/2/snapshot/usr"])
def test_a_host_without_snapshots(host: Host, which: str, breakage: str) -> None:
    host.sh(breakage)
    line = refused(host, "toy", "--snapshot", which, "--", "true")
    assert line == "this system has no snapshots (/ is overlayfs); enter the running system: toy"
    assert host.run("ls", "-A", "/var/lib/toy").stdout == ""


@pytest.mark.parametrize("tool", ["rpmdb", "unshare", "setpriv", "mount"])
def test_another_tool_is_missing(host: Host, tool: str) -> None:
    host.sh(f'for folder in $(echo $PATH | tr : " "); do rm -f $folder/{tool}; done')
    assert tool in refused(host, *OVERLAY, "true").split(";")[0]


@pytest.mark.parametrize("verb", [["--", "true"], ["status"], ["dump"]])
def test_no_rpm_for_python(host: Host, verb: list[str]) -> None:
    found = "import os, sys; print(*(f'{each}/rpm' for each in sys.path if os.path.exists(f'{each}/rpm/__init__.py')))"
    for where in host.run("/usr/bin/python3", "-c", found).stdout.split():
        host.sh(f"mv {where} {where}.away")
    line = r"rpm's Python module cannot be used: .*; install python3-rpm, or see: \S+ -c 'import rpm'"
    assert re.fullmatch(line, refused(host, "toy", *verb))


def test_nspawn_that_fails(host: Host) -> None:
    host.write("/usr/bin/systemd-nspawn", "#!/bin/sh\nexit 1\n")
    assert refused(host, *OVERLAY, "true").startswith("systemd-nspawn did not start machine toy (status 1); ")


def test_inside_a_machine(host: Host) -> None:
    done = host.run(*OVERLAY, *OVERLAY, "true", check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "toy: this is inside a machine or a container already; leave it first\n"


@pytest.mark.parametrize(
    ("filesystems", "said"),
    [
        (
            "nodev\toverlay\n\text4\n",
            "cannot mount the overlay of machine toy; the kernel's log says why: dmesg | tail",
        ),
        ("nodev\tproc\n\text4\n", "this kernel has no overlayfs; load it: modprobe overlay"),
    ],
)
def test_the_overlay_cannot_be_mounted(host: Host, filesystems: str, said: str) -> None:
    host.run("mv", "/bin/mount", "/bin/mount.real")
    host.write("/bin/mount", '#!/bin/sh\ncase "$*" in *--all*) exit 32;; esac\nexec /bin/mount.real "$@"\n')
    host.write("/tmp/filesystems", filesystems)
    host.sh("chmod 755 /bin/mount; mount --bind /tmp/filesystems /proc/filesystems")
    assert refused(host, *OVERLAY, "true") == said


@pytest.mark.parametrize(
    "breakage",
    [
        f"rm -r {DATABASE}",
        f"rm {DATABASE}/*",
        f"for file in {DATABASE}/*; do echo garbage > $file; done",
        f"rm -r {DATABASE}; echo > {DATABASE}",
        f"for file in {DATABASE}/*; do head -c 5000 /dev/urandom > $file; done",
    ],
)
@pytest.mark.parametrize("command", [("toy", "dump"), ("toy", "dump", "--changed"), ("toy", "--", "true")])
def test_no_readable_database(host: Host, breakage: str, command: tuple[str, ...]) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    before, merged = header_set(host), host.sh("cd /var/lib/toy/toy && find . ! -name work | sort")
    host.sh(breakage)
    assert "rpm database" in refused(host, *command)
    assert header_set(host) == before
    assert host.sh("cd /var/lib/toy/toy && find . ! -name work | sort") == merged


def test_no_database_is_made_where_there_is_none(host: Host) -> None:
    host.sh(f"rm {DATABASE}/*")
    refused(host, *OVERLAY, "true")
    refused(host, "toy", "dump")
    assert host.run("ls", DATABASE).stdout == ""


def test_an_emptied_database_empties_no_set(host: Host) -> None:
    before = header_set(host)
    host.sh(f"rm {DATABASE}/*; rpmdb --initdb")
    for command in (("toy", "dump"), ("toy", "dump", "--changed"), (*OVERLAY, "true")):
        line = refused(host, *command)
        assert line == (
            f"the rpm database in {DATABASE} is empty, the header set {SET} is not; "
            f"if the database was lost, restore it: cat {SET}/*.hdr | rpmdb --importdb"
        )
    assert header_set(host) == before
    host.sh(line.partition("restore it: ")[2])
    assert host.run("toy", "dump").stderr == ""
    assert header_set(host) == before


def test_a_merged_database_that_cannot_be_read(host: Host) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.sh("for file in /var/lib/toy/toy/rpmdb/*; do echo garbage > $file; done")
    line = refused(host, *OVERLAY, "true")
    assert line.startswith("cannot read the rpm database in /var/lib/toy/toy/rpmdb; ")
    host.sh(line.partition("from the header set: ")[2])
    assert "hello-1" in packages(host, *OVERLAY)
    assert is_current(host, *OVERLAY)


def test_a_merged_database_that_leads_elsewhere(host: Host) -> None:
    script = f"cd {DATABASE}; for file in *; do mv $file .$file; ln -s /etc/passwd $file; done"
    done = host.run(*OVERLAY, "sh", "-c", f"{script}; exit 5", check=False)
    assert done.returncode == 5
    assert "is not a regular file; the package changes in machine toy may not be" in done.stderr
    assert "is not a regular file; move it away" in refused(host, *OVERLAY, "true")
    assert host.run("rpm", "-q", "editor").stdout == "editor-1-1.noarch\n"


def test_no_space_for_the_set(host: Host) -> None:
    host.sh(f"mkdir -p /tmp/full; mount -t tmpfs -o size=16k tmpfs /tmp/full; mkdir -p /tmp/full{DATABASE}")
    host.sh(f"mount --bind {DATABASE} /tmp/full{DATABASE}")
    assert "No space left on device" in refused(host, "toy", "dump", "--root", "/tmp/full")
    # What is there is whole, and the rest follows when there is space.
    host.sh("mount -o remount,size=1m /tmp/full; toy dump --root /tmp/full")
    files = host.sh(f"cd /tmp/full{SET} && sha256sum -- *.hdr").split()[::2]
    assert sorted(files) == sorted(database(host))


def test_no_space_for_the_merged_database(host: Host) -> None:
    host.sh("mount -t tmpfs -o size=100k tmpfs /var/lib/toy")
    line = refused(host, *OVERLAY, "true")
    assert re.fullmatch(
        r"no room for /var/lib/toy/toy/rpmdb.new: it takes \S+ KiB, and the file system /var/lib/toy \(tmpfs\) has"
        r" \S+ KiB left; see what takes the room: du -xd2 /var/lib/toy",
        line,
    )
    assert host.run("rpm", "-q", "editor").stdout == "editor-1-1.noarch\n"
    host.sh("mount -o remount,size=10m /var/lib/toy")
    assert packages(host, *OVERLAY) == packages(host)


@pytest.mark.parametrize("script", ["rm -rf {}/*", "rm -rf {}/*; rpmdb --initdb"])
def test_a_merged_database_that_is_emptied_in_the_overlay_empties_nothing(host: Host, script: str) -> None:
    host.run(*OVERLAY, "zypper", "-n", "install", "hello")
    host.run(*OVERLAY, "sh", "-c", script.format(DATABASE))
    done = host.run(*OVERLAY, "true", check=False)
    if done.returncode:
        assert "is empty" in done.stderr
        host.sh(done.stderr.partition("from the header set: ")[2])
    assert packages(host, *OVERLAY) == {"editor-1", "library-1", "legacy-1", "hello-1"}
    assert is_current(host, *OVERLAY)


def test_the_hosts_metadata_cannot_be_copied(host: Host) -> None:
    host.run("zypper", "-n", "refresh", "--force")
    host.run("rm", "-r", "/var/cache/zypp/raw")
    done = host.run(*OVERLAY, "echo", "entered")
    assert done.stdout == "entered\n"
    assert done.stderr.startswith("toy: the host's repository metadata is not shared: ")
    assert len(done.stderr.splitlines()) == 1
