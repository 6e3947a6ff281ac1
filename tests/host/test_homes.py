# SPDX-License-Identifier: GPL-2.0-or-later
"""Homes: shared with the host, and left alone by rpm in the overlay; and nothing in them counts for toy."""

from dataclasses import replace
from pathlib import PurePath

import pytest
from host import Host
from image import RPMS, publish
from overlay import toy
from packages import Package, build
from truth import OVERLAY, packages

DOTFILES = Package(
    "dotfiles",
    files={"/root/.vrc": "package", "/home/alice/.vrc": "package", "/usr/share/dotfiles": ""},
    directories=("/root", "/root/.dotfiles"),
    directory_mode="711",
)
"""A package with files and directories in homes."""


def with_alice(host: Host, home: str = "/home/alice") -> None:
    host.sh(
        f"mkdir -p {home.rpartition('/')[0]}; useradd --create-home --home-dir {home} alice; chmod 700 {home} /root"
    )
    host.sh(f"echo hers > {home}/.vrc; echo roots > /root/.vrc")


def homes(host: Host, *paths: str) -> str:
    """Return all that there is to see of homes on the host."""
    paths = paths or ("/root", "/home/alice")
    return host.sh(
        f"find {' '.join(paths)} -maxdepth 2 -printf '%p %M %u:%g %s %T@ %l\\n' | sort; cat /root/.vrc {paths[-1]}/.vrc"
    )


def answer(host: Host, *command: str) -> str:
    """Return what a command printed in the overlay, where it must succeed."""
    return host.run(*OVERLAY, *command).stdout


class TestTheRule:
    """The homes of root and of all people whom the host knows are the host's own, whoever enters."""

    @pytest.mark.parametrize("caller", [{}, {"SUDO_UID": "alice"}, {"PKEXEC_UID": "alice"}, {"SUDO_UID": "0"}])
    @pytest.mark.everywhere
    def test_it_is_the_same_for_whoever_enters(self, host: Host, caller: dict[str, str]) -> None:
        with_alice(host)
        alice = host.run("id", "-u", "alice").stdout.strip()
        env = {name: value.replace("alice", alice) for name, value in caller.items()}
        script = "cat /root/.vrc /home/alice/.vrc; echo written > /home/alice/new"
        assert toy(host, "sh", "-c", script, env=env).stdout == "roots\nhers\n"
        assert host.sh("cat /home/alice/new; rm /home/alice/new") == "written\n"

    @pytest.mark.everywhere
    def test_what_is_in_home_besides_is_the_overlays(self, host: Host) -> None:
        answer(host, "sh", "-c", "useradd --create-home bob; echo x > /home/file")
        assert answer(host, "ls", "-d", "/home/bob", "/home/file").split() == ["/home/bob", "/home/file"]
        assert host.run("ls", "-d", "/home/bob", "/home/file", check=False).stdout == ""

    @pytest.mark.everywhere
    def test_one_of_the_overlay_s_own_that_the_host_comes_to_have_is_named(self, host: Host) -> None:
        answer(host, "sh", "-ec", "useradd -m -u 1234 alice; echo hers > /home/alice/file")
        host.sh("useradd -m -u 1234 alice; echo theirs > /home/alice/file")
        done = toy(host, "cat", "/home/alice/file")
        assert done.stdout == "theirs\n"
        (line,) = done.stderr.splitlines()
        place = line.removeprefix("toy: kept: ").partition(" of the overlay's own in ")[2].partition(" (")[0]
        assert host.sh(f"cat {place}/file") == "hers\n"
        assert line.removeprefix("toy: ") in host.run("toy", "status").stdout
        assert toy(host, "true").stderr == ""
        host.sh("userdel -r alice 2>/dev/null")
        assert answer(host, "cat", "/home/alice/file") == "hers\n"
        host.sh("useradd -m -u 1234 alice")
        assert toy(host, "true").stderr == f"{line}\n"

    def test_an_empty_one_is_not_worth_a_word(self, host: Host) -> None:
        answer(host, "sh", "-ec", "mkdir /home/alice")
        host.sh("useradd -m alice")
        assert toy(host, "true").stderr == ""

    @pytest.mark.parametrize(
        "entry",
        ["alice:x:1500:100::/home/alice:/bin/sh", "alice:x:500:100::/usr/share:/bin/sh", "alice:x:1500:100::/:/bin/sh"],
    )
    def test_only_a_directory_of_a_person_s_own_is_a_home(self, host: Host, entry: str) -> None:
        host.sh(f"mkdir -p /home/alice; echo '{entry}' >> /etc/passwd")
        answer(host, "sh", "-c", "touch /home/alice/new /usr/share/new")
        assert host.run("ls", "-d", "/home/alice/new", "/usr/share/new", check=False).stdout == ""

    def test_one_on_a_server_is_shared_with_its_user_alone(self, host: Host) -> None:
        with_alice(host)
        host.sh("mount -t tmpfs server /home/alice; chown alice: /home/alice")  # memory: neither is on a disk here
        alice = host.run("id", "-u", "alice").stdout.strip()
        assert toy(host, "touch", "/home/alice/new").returncode == 0
        assert host.run("ls", "/home/alice").stdout == ""
        assert toy(host, "touch", "/home/alice/new", env={"SUDO_UID": alice}).returncode == 0
        assert host.run("ls", "/home/alice").stdout == "new\n"


class TestPackages:
    """Packages with files in homes."""

    @pytest.mark.everywhere
    def test_installed_and_erased_in_the_overlay(self, host: Host) -> None:
        with_alice(host)
        publish(host, DOTFILES)
        before = homes(host)
        answer(host, "zypper", "-n", "install", "dotfiles")
        assert homes(host) == before
        assert answer(host, "rpm", "-V", "dotfiles") == ""
        assert answer(host, "sh", "-c", "cat /root/.vrc; ls /usr/share/dotfiles") == "roots\n/usr/share/dotfiles\n"
        answer(host, "zypper", "-n", "remove", "dotfiles")
        assert homes(host) == before

    def test_installed_on_the_host_and_erased_in_the_overlay(self, host: Host) -> None:
        with_alice(host)
        host.sh("rm /root/.vrc /home/alice/.vrc")
        publish(host, DOTFILES)
        host.zypper("install", "dotfiles")
        before = homes(host)
        assert answer(host, "rpm", "-V", "dotfiles") == host.run("rpm", "-V", "dotfiles").stdout == ""
        answer(host, "zypper", "-n", "remove", "dotfiles")
        assert "dotfiles-1" not in packages(host, *OVERLAY)
        assert homes(host) == before
        assert host.run("rpm", "-V", "dotfiles").stdout == ""

    def test_updated_in_the_overlay(self, host: Host) -> None:
        with_alice(host)
        host.sh("rm /root/.vrc /home/alice/.vrc")
        newer = replace(DOTFILES, version="2", directory_mode="755", files={**DOTFILES.files, "/root/.new": "2"})
        publish(host, DOTFILES, newer)
        host.zypper("install", "dotfiles-1")
        before = homes(host)
        answer(host, "zypper", "-n", "update")
        assert "dotfiles-2" in packages(host, *OVERLAY)
        assert homes(host) == before
        assert answer(host, "rpm", "-V", "dotfiles") == ""

    @pytest.mark.parametrize("versions", ["11", "12", "21"])
    def test_on_both_sides(self, host: Host, versions: str) -> None:
        with_alice(host)
        ours, theirs = (replace(DOTFILES, version=version) for version in versions)
        publish(host, *([ours] if ours == theirs else [ours, theirs]))
        answer(host, "zypper", "-n", "install", f"dotfiles-{ours.version}")
        host.sh("rm /root/.vrc /home/alice/.vrc")
        host.zypper("install", f"dotfiles-{theirs.version}")
        host.sh("rm /home/alice/.vrc")  # hers to remove: the host's package is sound all the same
        said = toy(host, "rpm", "-V", "dotfiles").stderr
        assert f"dotfiles-{max(versions)}" in packages(host, *OVERLAY)
        assert [line for line in said.splitlines() if ": kept" in line or ": conflict" in line] == []
        assert ("retired" in said) == (versions != "21")
        assert host.run("cat", "/root/.vrc").stdout == "package\n"
        host.zypper("remove", "dotfiles")
        answer(host, "true")
        assert "kept" not in host.run("toy", "status").stdout

    def test_of_two_sides_with_one_file_neither_is_in_conflict(self, host: Host) -> None:
        with_alice(host)
        rival = replace(DOTFILES, name="rival", files={"/root/.vrc": "rival", "/home/alice/.vrc": "rival"})
        publish(host, DOTFILES, rival)
        # As it was installed before rpm knew of homes, or by hand.
        build(host, [rival], RPMS)
        answer(host, *host.rpm, "--install", "--justdb", "--define", "_netsharedpath %{nil}", f"{RPMS}/{rival.file}")
        host.zypper("install", "dotfiles")
        answer(host, "true")
        assert "conflict" not in host.run("toy", "status").stdout
        host.zypper("remove", "dotfiles")
        answer(host, "true")
        assert "kept" not in host.run("toy", "status").stdout

    @pytest.mark.parametrize(
        ("before", "home", "others"),
        [
            (":", "/srv/people/alice", ()),
            (":", "/var/home/alice", ()),
            (":", "/home/100%/alice", ()),
            (":", "//home//alice/", ("/home/alice",)),
            ("mv /home /var/home; ln -s var/home /home", "/home/alice", ("/var/home/alice",)),
            ("mv /home /var/home; ln -s var/home /home", "/var/home/alice", ("/home/alice",)),
            ("mkdir /srv/x; ln -s /srv/x /home/x; ln -s x /home/y", "/home/y/alice", ("/srv/x/alice", "/home/x/alice")),
            ("ln -s var/home /people", "/var/home/alice", ("/people/alice",)),
            ("mkdir -p /srv/real; ln -s /srv/real /home/alice", "/home/alice", ("/srv/real",)),
        ],
    )
    def test_wherever_a_home_is(self, host: Host, before: str, home: str, others: tuple[str, ...]) -> None:
        host.sh(f"{before}; mkdir -p {PurePath(home).parent}; useradd -M -d {home} alice; mkdir -p {home}")
        host.sh(f"chown -R alice: {home}/; echo hers > {home}/.vrc; chmod 700 {home}")
        for path in (home.replace("//", "/").rstrip("/"), *others):
            package = Package("dotfiles", files={f"{path.replace('%', '%%')}/.vrc": "package"}, directories=(path,))
            build(host, [package], RPMS)
            answer(host, *host.rpm, "--install", f"{RPMS}/{package.file}")
            assert answer(host, "sh", "-c", f"rpm -V dotfiles; cat {home}/.vrc") == "hers\n"
            answer(host, *host.rpm, "--erase", "dotfiles")
            assert host.sh(f"cat {home}/.vrc; stat -L -c %a {home}") == "hers\n700\n"
            host.sh(f"rm {RPMS}/{package.file}")

    def test_wherever_root_s_home_is(self, host: Host) -> None:
        host.sh("mkdir /var/roothome; ln -s var/roothome /rh; sed -i '1s,:/root:,:/rh:,' /etc/passwd")
        host.sh("echo roots > /rh/.vrc")
        for path in ("/rh", "/var/roothome"):
            package = Package("dotfiles", files={f"{path}/.vrc": "package"})
            build(host, [package], RPMS)
            answer(host, *host.rpm, "--install", f"{RPMS}/{package.file}")
            assert answer(host, "cat", "/rh/.vrc") == "roots\n"
            answer(host, *host.rpm, "--erase", "dotfiles")
            assert host.sh(f"cat /rh/.vrc; rm {RPMS}/{package.file}") == "roots\n"

    def test_other_homes_are_not_meant(self, host: Host) -> None:
        with_alice(host)
        package = replace(DOTFILES, files={"/home/alices/.vrc": "package", "/home/al/.vrc": "package"}, directories=())
        build(host, [package], RPMS)
        answer(host, *host.rpm, "--install", f"{RPMS}/{package.file}")
        assert answer(host, "cat", "/home/alices/.vrc", "/home/al/.vrc") == "package\npackage\n"
        assert host.run("ls", "/home/alices", "/home/al", check=False).stdout == ""


class TestMacros:
    """The macro that tells rpm, and those that others define."""

    @pytest.mark.parametrize("where", ["/etc/rpm/macros.site", "/etc/rpm/macros", "/root/.rpmmacros"])
    @pytest.mark.parametrize("side", ["host", "overlay"])
    def test_what_else_is_shared_on_the_net(self, host: Host, where: str, side: str) -> None:
        overlay = OVERLAY if side == "overlay" else ()
        host.run(*overlay, "sh", "-c", f"echo '%_netsharedpath /nfs:/nfs2' >> {where}")
        assert answer(host, "rpm", "--eval", "%{_netsharedpath}").endswith(":/nfs:/nfs2\n")
        assert "/root" in answer(host, "rpm", "--eval", "%{_netsharedpath}").split(":")
        assert "%_netsharedpath /nfs:/nfs2\n" in host.run(*overlay, "cat", where).stdout.replace("_toy_", "_")

    def test_it_cannot_be_changed_by_accident(self, host: Host) -> None:
        path = "/usr/lib/rpm/macros.d/macros.toy-homes"
        assert toy(host, "sh", "-c", f"echo '%_netsharedpath %{{nil}}' > {path}").returncode != 0
        assert toy(host, "rm", path).returncode != 0
        assert "/root" in answer(host, "rpm", "--eval", "%{_netsharedpath}").strip().split(":")
        assert path not in host.run("toy", "diff").stdout
        assert host.run("ls", path, check=False).stdout == ""

    def test_toy_s_own_package_is_erased_and_installed(self, host: Host) -> None:
        answer(host, "zypper", "-n", "remove", "toy")
        assert "/root" in answer(host, "rpm", "--eval", "%{_netsharedpath}").strip().split(":")
        answer(host, "zypper", "-n", "install", "toy")
        assert answer(host, "rpm", "-V", "toy") == ""

    def test_an_rpm_that_has_its_configuration_elsewhere_is_told_as_well(self, host: Host) -> None:
        host.sh("cp -r /usr/lib/rpm /srv/rpm")
        for variable in ({"RPM_CONFIGDIR": "/srv/rpm"}, {}):
            for command in (["rpm"], ["env", "-u", "RPM_CONFIGDIR", "-u", "LD_LIBRARY_PATH", "/usr/bin/rpm"]):
                told = toy(host, *command, "--eval", "%{_netsharedpath}", env=variable).stdout
                assert "/root" in told.strip().split(":")
        assert "macros.toy-homes" not in host.run("toy", "diff").stdout

    def test_no_command_of_a_home_is_run_on_the_host(self, host: Host) -> None:
        command = "%(touch /CANARY; echo /usr/lib/rpmdb)"
        answer(
            host, "sh", "-c", f"echo '%_dbpath {command}' > /root/.rpmmacros; echo 'include: {command}' > /root/.rpmrc"
        )
        answer(host, "sh", "-c", "mkdir -p /root/.config/rpm; cp /root/.rpmmacros /root/.config/rpm/macros")
        answer(host, "sh", "-c", "rm -f /CANARY")
        for verb in (["--", "true"], ["-n", "other", "--", "true"], ["status"], ["diff"], ["dump"]):
            done = host.run("toy", *verb, env={"XDG_CONFIG_HOME": "/root/.config"})
            assert done.stderr == ""
            assert host.run("ls", "/CANARY", check=False).stdout == ""

    def test_nor_one_that_an_option_stands_for(self, host: Host) -> None:
        answer(host, "zypper", "-n", "install", "hello")  # from now on toy has something to import
        answer(host, "sh", "-c", "echo 'rpmdb exec --importdb /root/command' > /root/.popt")
        answer(host, "sh", "-c", "printf '#!/bin/sh\ntouch /CANARY\n' > /root/command; chmod 755 /root/command")
        host.zypper("remove", "legacy")
        assert packages(host, *OVERLAY) == {"editor-1", "library-1", "hello-1"}
        assert host.run("ls", "/CANARY", check=False).stdout == ""
