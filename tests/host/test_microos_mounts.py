# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host has mounted below its root: system extensions, other disks, what cannot be shown."""

import pytest
from image import publish
from microos import BASE, NEXT, MicroOS, shared
from packages import Package
from truth import OVERLAY, is_current, packages


@pytest.fixture
def host(microos: MicroOS) -> MicroOS:
    return microos


def agrees(host: MicroOS) -> None:
    """See that database, set and files of the overlay are one."""
    assert is_current(host, *OVERLAY)
    assert host.run(*OVERLAY, "rpm", "-Va", "--noconfig", check=False).stdout == ""


class TestSystemExtensions:
    """systemd-sysext(8) mounts an overlay over /usr, and anew whenever there is another extension."""

    @pytest.fixture
    def extended(self, host: MicroOS) -> MicroOS:
        host.sh("mount --make-rshared /")  # as systemd has it
        self.extend(host, "one", "1")
        host.run("systemd-sysext", "merge")
        assert host.run("one").stdout == "1\n"
        return host

    @staticmethod
    def extend(host: MicroOS, name: str, says: str) -> None:
        """Make an extension with a program, or another version of it."""
        root = f"/run/extensions/{name}/usr"
        host.write(f"{root}/lib/extension-release.d/extension-release.{name}", "ID=_any\n")
        host.write(f"{root}/bin/{name}", f"#!/bin/sh\necho {says}\n")
        host.run("chmod", "755", f"{root}/bin/{name}")

    def test_they_come_change_and_go_between_launches(self, extended: MicroOS) -> None:
        host = extended
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        done = host.run(*OVERLAY, "sh", "-ec", "one; hello; echo ours > /usr/bin/ours")
        assert (done.stdout, done.stderr) == ("1\nHello, world!\n", "")
        agrees(host)
        self.extend(host, "one", "2")
        self.extend(host, "two", "2")
        host.run("systemd-sysext", "refresh")
        done = host.run(*OVERLAY, "sh", "-ec", "one; two; hello; cat /usr/bin/ours")
        assert (done.stdout, done.stderr) == ("2\n2\nHello, world!\nours\n", "")
        host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
        agrees(host)
        host.run("systemd-sysext", "unmerge")
        assert host.run(*OVERLAY, "sh", "-c", "one; two; legacy; hello; cat /usr/bin/ours").stdout == (
            "Hello, world!\nours\n"
        )
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        agrees(host)
        assert packages(host) == BASE
        assert host.run("legacy").stdout == "legacy\n"

    def test_an_update_with_one_merged(self, extended: MicroOS) -> None:
        host = extended
        publish(host, NEXT)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        host.zypper("install", "editor")
        host.sh("mount --make-rshared /")
        self.extend(host, "one", "1")
        host.run("systemd-sysext", "merge")
        assert host.run(*OVERLAY, "sh", "-ec", "one; editor; hello").stdout == "1\neditor 2\nHello, world!\n"
        assert packages(host, *OVERLAY) == {"editor-2", "library-1", "legacy-1", "hello-1"}
        agrees(host)

    def test_what_was_changed_of_one_stays(self, extended: MicroOS) -> None:
        host = extended
        host.run(*OVERLAY, "sh", "-c", "echo echo mine >> /usr/bin/one")
        host.run("systemd-sysext", "unmerge")
        assert host.run(*OVERLAY, "one").stdout == "1\nmine\n"


class TestMountsBelowTheRoot:
    def test_they_show_and_what_is_written_stays_in_the_overlay(self, host: MicroOS) -> None:
        places = [f"/{name}" for name in shared() if name not in ("var", "root")]
        for place in places:
            host.write(f"{place}/theirs", "host")
        script = "cat $1/theirs && echo ours > $1/theirs && echo ours > $1/ours"
        for place in places:
            assert host.run(*OVERLAY, "sh", "-c", script, "sh", place).stdout == "host"
            assert host.run(*OVERLAY, "cat", f"{place}/theirs", f"{place}/ours").stdout == "ours\nours\n"
            assert host.run("cat", f"{place}/theirs").stdout == "host"
            assert host.run("test", "-e", f"{place}/ours", check=False).returncode == 1
        host.zypper("remove", "legacy")
        for place in places:
            assert host.run(*OVERLAY, "cat", f"{place}/theirs").stdout == "ours\n"

    def test_a_package_with_files_there(self, host: MicroOS) -> None:
        files = {"/opt/optional/file": "1", "/usr/local/bin/optional": "1"}
        publish(host, Package("optional", files=files, directories=("/opt/optional",)))
        host.run(*OVERLAY, "zypper", "-n", "install", "optional")
        agrees(host)
        host.zypper("remove", "legacy")
        agrees(host)
        host.run(*OVERLAY, "zypper", "-n", "remove", "optional")
        left = "for path in /opt/optional /usr/local/bin/optional; do [ ! -e $path ] || echo $path; done"
        assert host.run(*OVERLAY, "sh", "-c", left).stdout == ""

    def test_one_that_is_no_more_or_is_new(self, host: MicroOS) -> None:
        host.write("/home/theirs", "host")
        host.run(*OVERLAY, "sh", "-c", "echo ours > /home/ours")
        host.run("umount", "/home")
        assert host.run(*OVERLAY, "ls", "/home").stdout == "ours\n"
        host.sh(
            "mkdir /srv/disk; truncate -s 200M /srv/image; mkfs.btrfs -q /srv/image; mount -o loop /srv/image /home"
        )
        host.write("/home/new", "host")
        assert host.run(*OVERLAY, "ls", "/home").stdout == "new\nours\n"

    def test_those_that_cannot_be_below_an_overlay_are_read_only(self, host: MicroOS) -> None:
        # An overlay over an overlay is as deep as the kernel has them. With the vfat of /boot/efi it is the same.
        script = "mkdir -p $1 $1.upper $1.work; mount -t overlay -o lowerdir=$2,upperdir=$1.upper,workdir=$1.work o $1"
        host.run("sh", "-ec", script, "sh", "/srv/one", "/home")
        host.run("sh", "-ec", script, "sh", "/srv/two", "/srv/one")
        host.write("/srv/two/file", "host")
        assert host.run(*OVERLAY, "cat", "/srv/two/file").stdout == "host"
        assert host.run(*OVERLAY, "sh", "-c", "touch /srv/one/ours; touch /srv/two/ours", check=False).returncode == 1
        assert host.run(*OVERLAY, "ls", "/srv/one", "/srv/two").stdout == "/srv/one:\nours\n\n/srv/two:\nfile\n"

    def test_one_over_another_and_one_in_another(self, host: MicroOS) -> None:
        host.sh("mkdir /home/in /srv/one /srv/two; echo one > /srv/one/file; echo two > /srv/two/file")
        host.sh("mount --bind /srv/one /home/in; mount --bind /srv/two /home/in")
        assert host.run(*OVERLAY, "cat", "/home/in/file").stdout == "two\n"
        # All that was mounted in /home is below this, and is not seen any more.
        host.sh("mkdir /srv/three; echo three > /srv/three/file; mount --bind /srv/three /home")
        assert host.run(*OVERLAY, "sh", "-c", "cat /home/file; ls /home/in").stdout == "three\n"
        host.sh('mkdir -p "/srv/three/a b:c,d\\e"; mount --bind /srv/one "/home/a b:c,d\\e"')
        assert host.run(*OVERLAY, "cat", "/home/a b:c,d\\e/file").stdout == "one\n"

    def test_memory_and_what_lies_in_it_does_not_show(self, host: MicroOS) -> None:
        host.sh("mount -t tmpfs tmpfs /home; mkdir /home/disk; mount --bind /srv /home/disk")
        assert host.run(*OVERLAY, "ls", "-A", "/home").stdout == ""

    @pytest.mark.parametrize("instead", ["ln -s /etc home", "ln -s / home", "echo file > home", "mknod home c 0 0"])
    def test_nothing_is_followed_out_of_the_overlay(self, host: MicroOS, instead: str) -> None:
        host.write("/home/theirs", "host")
        host.run(*OVERLAY, "true")
        host.sh(f"cd /var/lib/toy/toy/overlay; rmdir home; {instead}")
        before = host.sh("ls -lR /etc | md5sum")
        assert host.run(*OVERLAY, "sh", "-c", "touch /home/file; ls /home/theirs", check=False).returncode == 2
        assert host.sh("ls -lR /etc | md5sum") == before
