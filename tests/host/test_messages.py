# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong is one line: what could not be done, on which path, and a command that can be typed as it stands."""

import pytest
from host import Host
from microos import MicroOS
from overlay import refused, toy
from truth import OVERLAY, is_current

STATE = "/var/lib/toy/toy"
SET = "/usr/lib/sysimage/rpm-headers"


WRONG_KINDS = {
    "a file": "rm -rf {0}; echo > {0}",
    "a directory": "rm -rf {0}; mkdir {0}; touch {0}/x",
    "a link": "rm -rf {0}; ln -s /etc/hostname {0}",
}

DIRECTORIES = ("overlay", "work", "hidden", "accounts", "rpmdb")
FILES = ("base", "intent", "log", "seen", "seeded", "untold", "base.new")


@pytest.mark.parametrize("kind", WRONG_KINDS)
def test_state_of_a_wrong_kind_is_named_with_what_mends_it(host: Host, kind: str) -> None:
    wrong = FILES if kind == "a directory" else DIRECTORIES
    for path in (*(f"{STATE}/{name}" for name in wrong), "/run/toy", "/var/lib/machines/toy"):
        if kind == "a directory" and not path.startswith(STATE):
            continue
        host.sh(f"rm -rf {STATE} /run/toy")
        toy(host, "true")
        host.sh(f"echo > {STATE}/seen; {WRONG_KINDS[kind].format(path)}")
        for words in (["status"], ["diff"], ["--", "true"]):
            done = host.run("toy", *words, check=False)
            if done.returncode:
                assert done.returncode == 125
                what, _, command = done.stderr.rpartition(": ")
                assert path in what
                assert "Traceback" not in done.stderr
                command = command.removesuffix("; toy -n toy -- rpm -Va\n")  # of a plan that is lost
                assert command.strip() in (f"mv --backup=numbered -T {path} {path}.away", "toy -n toy -- true")
        if done.returncode:
            host.sh(command)
            assert host.run(*OVERLAY, "echo", "entered").stdout == "entered\n"


def test_the_machines_trees_cannot_be_written(host: Host) -> None:
    toy(host, "true")
    host.sh("mount --bind /var/lib/toy /var/lib/toy; mount -o remount,bind,ro /var/lib/toy")
    kind = host.run("findmnt", "-no", "FSTYPE", "/var/lib/toy").stdout.split()[-1]
    line = refused(host, "toy", "-n", "new", "--", "true")
    assert line == (
        f"/var/lib/toy/new: Read-only file system in the file system /var/lib/toy ({kind}) (cannot enter machine new);"
        " see how it is mounted: findmnt --target /var/lib/toy"
    )
    assert refused(host, *OVERLAY, "true").endswith(f"findmnt --target {STATE}/overlay")


def test_a_file_system_without_attributes(host: Host) -> None:
    # The error has a descriptor in the place of a name.
    host.sh("mount -t ramfs ramfs /var/lib/toy; toy -- true || :")
    line = refused(host, "toy", "diff")
    path = f"{STATE}/overlay"
    assert line == (
        f"{path}: Operation not supported (cannot compare machine toy with the host);"
        f" see how it is mounted: findmnt --target {path}"
    )


def test_errors_in_another_root_say_in_which(host: Host) -> None:
    line = refused(host, "toy", "dump", "--root", "/srv")
    assert line.startswith(
        "in /srv: no rpm database: /usr/lib/sysimage/rpm: No such file or directory; in there, by chroot"
    )
    host.sh("mkdir -p /srv/usr/lib/sysimage; cp -r /usr/lib/sysimage/rpm /srv/usr/lib/sysimage; toy dump --root /srv")
    host.sh(f"rm /srv{SET}/editor-*; touch /srv{SET}/foreign")
    line = host.run("toy", "dump", "--root", "/srv").stderr.splitlines()[-1]
    assert line.startswith(f"toy: in /srv: {SET}/foreign is not a header file, and is ignored; move it away: ")
    host.sh(f"rm /srv{SET}/editor-*")
    host.sh("mount --bind /srv /srv; mount -o remount,bind,ro /srv; rpm --dbpath /srv/usr/lib/sysimage/rpm -q system")
    done = host.run("sh", "-c", "TOY_DEBUG=1 toy dump --root /srv", check=False)
    assert done.returncode == 125
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("toy: in /srv: ")


def test_snapshots_where_there_are_none(host: Host) -> None:
    for which in ("default", "1", "x"):
        line = refused(host, "toy", "--snapshot", which, "--", "true")
        assert line == "this system has no snapshots (/ is overlayfs); enter the running system: toy"


class TestReadOnlyRoot:
    """A dump where it cannot be written; a launch does without."""

    LINE = "the root is read-only, so its header set was not updated; to update it: "

    def test_of_a_snapshot(self, microos: MicroOS) -> None:
        microos.update("sh", "-c", f'rm "$TRANSACTIONAL_UPDATE_ROOT"{SET}/editor-*')
        microos.reboot()
        assert not is_current(microos)
        for words in (["dump"], ["dump", "--changed"], ["--init"]):
            assert refused(microos, "toy", *words) == f"{self.LINE}transactional-update run toy dump"
        done = microos.run(*OVERLAY, "rpm", "-q", "editor")
        assert (done.stdout, done.stderr) == ("editor-1-1.noarch\n", "")

    def test_of_a_snapshot_that_is_as_it_should_be(self, microos: MicroOS) -> None:
        assert microos.run("toy", "dump").stderr == ""

    def test_of_another_system(self, host: Host) -> None:
        toy(host, "true")
        host.sh(f"rm {SET}/editor-*; mount -o remount,bind,ro /")
        assert refused(host, "toy", "dump") == f"{self.LINE}mount -o remount,rw / && toy dump"
        assert host.run(*OVERLAY, "rpm", "-q", "editor").stdout == "editor-1-1.noarch\n"


class TestDebug:
    """TOY_DEBUG=1."""

    SECRET = "http://user:secret@proxy"

    def test_each_command_that_is_run(self, host: Host) -> None:
        env = {"TOY_DEBUG": "1", "http_proxy": self.SECRET}
        done = host.run(*OVERLAY, "sh", "-c", 'echo "$http_proxy"; exit 3', env=env, check=False)
        assert (done.returncode, done.stdout) == (3, f"{self.SECRET}\n")
        assert all(line.startswith(("toy: + ", "toy: | ")) for line in done.stderr.splitlines())
        commands = [line for line in done.stderr.splitlines() if line.startswith("toy: + ")]
        assert any(" cp " in line for line in commands)
        assert " systemd-nspawn " in commands[-1]
        assert self.SECRET not in done.stderr

    def test_where_an_error_comes_from(self, host: Host) -> None:
        host.run("rm", "/usr/bin/systemd-nspawn")
        done = host.run(*OVERLAY, "true", env={"TOY_DEBUG": "1"}, check=False)
        first, *_, last = done.stderr.splitlines()
        assert (done.returncode, first) == (125, "Traceback (most recent call last):")
        assert last == "toy: systemd-nspawn is not installed; install it: zypper install systemd-container"

    @pytest.mark.parametrize("value", ["", "0"])
    def test_it_is_off(self, host: Host, value: str) -> None:
        done = host.run(*OVERLAY, "true", env={"TOY_DEBUG": value})
        assert done.stderr == ""

    def test_what_a_command_said(self, host: Host) -> None:
        host.write("/usr/bin/stat", "#!/bin/sh\nprintf 'one\\ntwo\\n' >&2; exit 1\n")
        host.run("chmod", "755", "/usr/bin/stat")
        line = refused(host, "toy", "--snapshot", "default")
        assert line == "stat failed: two; to see all that it printed: TOY_DEBUG=1 toy --snapshot default"
        said = host.run("sh", "-c", line.partition("printed: ")[2], check=False).stderr
        assert "toy: | one\ntoy: | two\n" in said
