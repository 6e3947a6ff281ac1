# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlay's own /var, and the host's repository metadata in it."""

import json
from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, HELLO, LEGACY, LIBRARY, RPMS, publish
from overlay import toy
from packages import Package, build
from truth import OVERLAY

pytestmark = pytest.mark.everywhere


class TestVar:
    """The overlay's own /var."""

    STATE = Package(
        "state",
        directories=("/var/lib/state", "/var/lib/state/deep/er"),
        files={"/var/lib/state/file": "content", "/usr/share/state": ""},
        links={"/var/lib/state/link": "file"},
    )

    @pytest.mark.only_plain("an update brings nothing into /var")
    def test_packages_find_what_they_own(self, host: Host) -> None:
        publish(host, self.STATE)
        host.zypper("install", "state")
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        assert toy(host, "cat", "/var/lib/state/link").stdout == "content\n"

    @pytest.mark.only_plain("an update brings nothing into /var")
    def test_large_ones_and_holes_are_what_they_were(self, host: Host) -> None:
        publish(host, self.STATE)
        host.zypper("install", "state")
        host.sh(
            "cd /var/lib/state; head -c 3M /dev/urandom > file; truncate -s 10G file; chown 1:2 file; chmod 4751 file"
        )
        assert toy(host, "stat", "-c", "%s %u:%g %a", "/var/lib/state/file").stdout == "10737418240 1:2 4751\n"
        assert int(toy(host, "stat", "-c", "%b", "/var/lib/state/file").stdout) * 512 < 10 << 20
        same = "head -c 4M /var/lib/state/file | cksum"
        assert toy(host, "sh", "-c", same).stdout == host.sh(same)

    @pytest.mark.only_plain("an update brings nothing into /var")
    def test_they_follow_the_host_while_nobody_changed_them(self, host: Host) -> None:
        publish(host, self.STATE)
        host.zypper("install", "state")
        toy(host, "true")
        files = {**self.STATE.files, "/var/lib/state/file": "other", "/var/lib/state/added": ""}
        publish(host, replace(self.STATE, version="2", files=files))
        host.zypper("update")
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        assert toy(host, "cat", "/var/lib/state/link").stdout == "other\n"
        toy(host, "sh", "-c", "echo mine > /var/lib/state/added; touch /var/lib/state/unowned")
        host.zypper("remove", "state")
        assert toy(host, "ls", "/var/lib/state").stdout.split() == ["added", "deep", "unowned"]

    @pytest.mark.only_plain("an update brings nothing into /var")
    def test_they_stay_when_a_package_of_the_hosts_that_lost_a_file_has_it_again(self, host: Host) -> None:
        rival = Package("rival", files={"/usr/share/state": "rival"})
        publish(host, self.STATE, rival)
        host.zypper("install", "state")
        # No update of the host's comes between the last two: what shows is another header, and the base is the same.
        toy(host, *host.rpm, "--install", "--replacefiles", f"{RPMS}/{rival.file}")
        host.zypper("remove", "legacy")
        toy(host, "true")
        toy(host, *host.rpm, "--erase", "rival")
        toy(host, "true")
        host.zypper("remove", "library")
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""

    def test_it_is_the_overlays_and_stays(self, host: Host) -> None:
        toy(host, "sh", "-c", "echo mine > /var/lib/editor/mine; rm -r /var/lib/zypp")
        assert toy(host, "cat", "/var/lib/editor/mine").stdout == "mine\n"
        assert host.run("ls", "/var/lib/editor").stdout == ""
        assert "AutoInstalled" in host.run("ls", "/var/lib/zypp").stdout

    def test_certificates_and_zypp_s_notes_are_there(self, host: Host) -> None:
        host.write("/var/lib/ca-certificates/pem/one.pem", "certificate")
        toy(host, "true")
        assert toy(host, "cat", "/var/lib/ca-certificates/pem/one.pem").stdout == "certificate"
        host.write("/var/lib/ca-certificates/pem/one.pem", "renewed")
        host.write("/var/lib/ca-certificates/pem/two.pem", "another")
        host.zypper("install", "hello")
        assert toy(host, "sh", "-c", "cat /var/lib/ca-certificates/pem/*").stdout == "renewedanother"
        assert (
            toy(host, "cat", "/var/lib/zypp/AutoInstalled").stdout
            == host.run("cat", "/var/lib/zypp/AutoInstalled").stdout
        )

    CA = "/var/lib/ca-certificates"
    ANCHORS = "/usr/share/pki/trust/anchors /etc/pki/trust/anchors"

    def with_own_certificate(self, host: Host) -> None:
        """Have a host with a tool as openSUSE's ca-certificates has it, and one more certificate in the overlay."""
        make = f"cat {self.ANCHORS.replace(' ', '/* ')}/* > {self.CA}/ca-bundle.pem"
        files = {"/usr/sbin/update-ca-certificates": f"#!/bin/sh\n{make}", "/usr/share/pki/trust/anchors/one": "one"}
        publish(host, Package("ca", files=files, directories=(self.CA, *self.ANCHORS.split())))
        host.zypper("install", "ca")
        host.sh(
            "chmod 755 /usr/sbin/update-ca-certificates; echo two > /etc/pki/trust/anchors/two; update-ca-certificates"
        )
        toy(host, "sh", "-c", "echo own > /etc/pki/trust/anchors/own; update-ca-certificates")
        assert toy(host, "cat", f"{self.CA}/ca-bundle.pem").stdout == "one\nown\ntwo\n"

    @pytest.mark.only_plain("its root is read-only")
    def test_a_bundle_of_certificates_that_was_made_in_the_overlay_is_made_anew(self, host: Host) -> None:
        self.with_own_certificate(host)
        host.sh("echo three > /etc/pki/trust/anchors/three; update-ca-certificates")
        host.zypper("install", "hello")
        done = toy(host, "cat", f"{self.CA}/ca-bundle.pem")
        assert (done.stdout, done.stderr) == ("one\nown\nthree\ntwo\n", "")
        assert self.CA not in host.run("toy", "status").stdout

    def test_so_is_a_catalog_of_messages(self, host: Host) -> None:
        def add(number: int) -> str:
            text = f"-- {number:032}\\nSubject: {number}\\n\\nNone.\\n"
            return f"printf -- '{text}' > /usr/lib/systemd/catalog/{number}.catalog"

        host.change(f"mkdir -p /usr/lib/systemd/catalog; {add(1)}")
        toy(host, "sh", "-c", f"{add(2)}; journalctl --update-catalog")
        host.change(add(3))
        host.run("journalctl", "--update-catalog")
        host.zypper("install", "hello")
        listed = toy(host, "journalctl", "--list-catalog").stdout
        assert [line.split()[0][-1] for line in listed.splitlines() if line.startswith("0" * 31)] == ["1", "2", "3"]

    @pytest.mark.only_plain("its root is read-only")
    def test_one_that_cannot_be_made_anew_is_named(self, host: Host) -> None:
        self.with_own_certificate(host)
        toy(host, "sh", "-c", "echo exit 1 > /usr/sbin/update-ca-certificates")
        host.sh("echo three > /etc/pki/trust/anchors/three; update-ca-certificates")
        host.zypper("install", "hello")
        anew = "make it anew: toy -n toy -- update-ca-certificates"
        assert toy(host, "true").stderr == f"toy: stale: {self.CA} (the host's is newer; {anew})\n"
        assert toy(host, "true").stderr == ""
        assert f"shadowed: {self.CA} (changed later on the host; {anew})\n" in host.run("toy", "status").stdout

    def test_a_link_in_it_leads_nowhere_on_the_host(self, host: Host) -> None:
        toy(host, "sh", "-c", "rm -r /var/lib /var/cache; ln -s /etc /var/lib; ln -s /etc /var/cache")
        before = host.sh("ls -R /etc | md5sum")
        publish(host, self.STATE)
        host.zypper("install", "state")
        assert toy(host, "true").returncode == 0
        assert host.sh("ls -R /etc | md5sum") == before

    @pytest.mark.only_plain("/var is empty there")
    @pytest.mark.parametrize(("version", "lost"), [("1", "nothing"), ("1", "seeded"), ("2", "base")])
    def test_nobody_gets_what_no_package_of_the_hosts_owns(self, host: Host, version: str, lost: str) -> None:
        host.sh("mkdir -p /var/lib/secret; echo secret > /var/lib/secret/key; chmod 600 /var/lib/secret/key")
        claim = replace(
            LIBRARY, version=version, files={"/var/lib/secret/key": "claimed"}, directories=("/var/lib/secret",)
        )
        host.sh(f"rm -f {RPMS}/{claim.file}")
        build(host, [claim], RPMS)
        toy(host, *host.rpm, "-U", "--justdb", "--force", "--notriggers", f"{RPMS}/{claim.file}")
        assert "/var/lib/secret/key" in toy(host, "rpm", "-ql", "library").stdout
        host.sh(f"cd /var/lib/toy/toy; rm -f {lost}")
        host.zypper("install", "hello")
        assert toy(host, "rpm", "-q", "hello").returncode == 0
        assert toy(host, "ls", "/var/lib/secret").stdout == ""

    @pytest.mark.only_plain("an update brings nothing into /var")
    def test_directories_are_like_the_hosts(self, host: Host) -> None:
        publish(host, self.STATE)
        host.zypper("install", "state")
        host.sh("mkdir -p /var/cache/zypp/solv/repository; chmod 711 / /var/lib/state; chmod 1751 /var/cache/zypp")
        paths = ("/", "/var", "/var/lib/state", "/var/lib/state/deep", "/var/cache/zypp", "/var/lib", "/var/cache")
        note = "import os, sys; [os.setxattr(p, 'user.note', b'x') for p in sys.argv[1:]]"
        host.run("/usr/bin/python3", "-c", note, *paths)
        look = "import os, sys; [print(p, oct(os.stat(p).st_mode), os.listxattr(p)) for p in sys.argv[1:]]"
        command = ("/usr/bin/python3", "-c", look, *paths)
        assert toy(host, *command).stdout == host.run(*command).stdout


class TestMetadata:
    """The host's refreshed repository metadata."""

    def test_it_is_used_without_a_refresh(self, host: Host) -> None:
        host.run("zypper", "-n", "refresh")
        host.sh("mv /srv/repository/repodata /srv/repository/gone")
        assert "hello" in toy(host, "zypper", "-n", "--no-refresh", "search", "hello").stdout

    def test_the_newer_one_wins(self, host: Host) -> None:
        toy(host, "true")
        publish(host, HELLO, replace(HELLO, version="2"))
        host.run("zypper", "-n", "refresh")
        host.sh("mv /srv/repository/repodata /srv/repository/gone")
        assert "| 2-1" in toy(host, "zypper", "-n", "--no-refresh", "search", "-s", "hello").stdout

    def test_the_overlays_own_refresh_stays(self, host: Host) -> None:
        toy(host, "true")
        publish(host, HELLO, replace(HELLO, version="2"))
        toy(host, "zypper", "-n", "refresh")
        raw = host.sh("md5sum /var/cache/zypp/raw/repository/repodata/repomd.xml")
        assert "| 2-1" in toy(host, "zypper", "-n", "--no-refresh", "search", "-s", "hello").stdout
        assert host.sh("md5sum /var/cache/zypp/raw/repository/repodata/repomd.xml") == raw

    def test_each_side_has_its_own_system(self, host: Host) -> None:
        system = "cd /var/cache/zypp/solv/@System && md5sum *"
        before = host.sh(system)
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        assert host.sh(system) == before
        assert host.run(*OVERLAY, "sh", "-c", system).stdout != before

    def test_the_solver_does_not_go_by_an_old_database(self, host: Host) -> None:
        host.run(*OVERLAY, "zypper", "-n", "install", "hello")
        publish(host, replace(EDITOR, version="2"), replace(LEGACY, version="2"))
        host.zypper("update")
        listed = toy(host, "zypper", "-n", "search", "-i", "-s").stdout
        installed = {
            line.split("|")[1].strip(): line.split("|")[3].strip()
            for line in listed.splitlines()
            if line.startswith("i")
        }
        assert {"editor": "2-1", "legacy": "2-1", "hello": "1-1", "library": "1-1"}.items() <= installed.items()


@pytest.mark.only_plain("an update brings nothing into /var")
def test_what_scripts_of_the_hosts_packages_made_is_named_by_the_status(host: Host) -> None:
    made = "/var/lib/made"
    scripts = f"%ghost %attr(755,root,root) %dir {made}\n%ghost %attr(644,root,root) {made}/db\n"
    scripts += f"%post\nmkdir -p {made} /var/log/made; echo 1 > {made}/db; touch /var/log/made/log\n"
    publish(host, Package("made", files={"/usr/share/made": ""}, scripts=scripts))
    host.zypper("install", "made")
    toy(host, "true")
    (line,) = [line for line in host.run("toy", "status").stdout.splitlines() if line.startswith("lacking")]
    assert line.startswith(f"lacking: {made} (in the machine's own /var; to copy the host's: ")
    assert json.loads(host.run("toy", "status", "--json").stdout)["lacking"] == [made]
    host.sh(line.rpartition(": ")[2].removesuffix(")"))
    assert toy(host, "cat", f"{made}/db").stdout == "1\n"
    assert json.loads(host.run("toy", "status", "--json").stdout)["lacking"] == []


@pytest.mark.only_plain("an update brings nothing into /var")
def test_what_the_host_keeps_of_itself_is_not_named_by_the_status_and_what_is_missing_is(host: Host) -> None:
    seed, brought = "/var/lib/kept/random-seed", "/var/lib/kept/brought"
    files = {brought: "1", "/var/lib/kept/too": "2"}
    scripts = f"%ghost %attr(600,root,root) {seed}\n%post\necho 1 > {seed}\n"
    publish(host, Package("kept", files=files, scripts=scripts))
    host.zypper("install", "kept")
    toy(host, "true")
    assert json.loads(host.run("toy", "status", "--json").stdout)["lacking"] == []
    toy(host, "rm", brought)
    assert json.loads(host.run("toy", "status", "--json").stdout)["lacking"] == [brought]
    missing = toy(host, "rpm", "-V", "kept").stdout
    assert [line.split()[-1] for line in missing.splitlines()] == [brought]


@pytest.mark.only_plain("an update brings nothing into /var")
class TestLinks:
    """Directories of the host's /var that become links, and links that become directories."""

    PATH = "/var/lib/place"
    REAL = Package("place", files={f"{PATH}/data": "1", f"{PATH}/sub/more": "1"}, directories=(PATH,))
    LINK = Package("place", "2", files={"/usr/lib/place/data": "2"}, links={PATH: "../../usr/lib/place"})
    OWN = Package("own", files={f"{PATH}/own": "own"})
    TURN = f"%pretrans\nrm -rf {PATH}\n"

    def differing(self, host: Host) -> list[str]:
        lines = host.run("toy", "status").stdout.splitlines()
        found = [line for line in lines if line.startswith("differing: ")]
        assert json.loads(host.run("toy", "status", "--json").stdout)["differing"] == [
            line.split()[1] for line in found
        ]
        return found

    def test_they_follow_where_the_machine_has_nothing_of_its_own(self, host: Host) -> None:
        publish(host, self.REAL)
        host.zypper("install", "place")
        assert toy(host, "cat", f"{self.PATH}/sub/more").stdout == "1\n"
        publish(host, replace(self.LINK, scripts=self.TURN))
        host.zypper("update")
        assert toy(host, "readlink", self.PATH).stdout == "../../usr/lib/place\n"
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        publish(host, replace(self.REAL, version="3", scripts=self.TURN))
        host.zypper("update")
        assert toy(host, "cat", f"{self.PATH}/data", f"{self.PATH}/sub/more").stdout == "1\n1\n"
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        assert self.differing(host) == []

    @pytest.mark.parametrize("name", ["mine", "data"])
    def test_the_status_names_those_where_it_has(self, host: Host, name: str) -> None:
        publish(host, self.REAL)
        host.zypper("install", "place")
        toy(host, "sh", "-c", f"echo mine > {self.PATH}/{name}")
        publish(host, replace(self.LINK, scripts=self.TURN))
        host.zypper("update")
        toy(host, "true")
        (line,) = self.differing(host)
        host.sh(line.partition("in /var: ")[2].removesuffix(")"))
        assert toy(host, "readlink", self.PATH).stdout == "../../usr/lib/place\n"
        assert host.sh(f"cat /var/lib/toy/toy{self.PATH}.away/{name}") == "mine\n"
        assert self.differing(host) == []

    def test_a_package_of_the_overlays_has_something_behind_a_link_that_becomes_a_directory(self, host: Host) -> None:
        publish(host, self.LINK, self.OWN)
        host.zypper("install", "place")
        toy(host, "zypper", "-n", "install", "own")
        publish(host, replace(self.REAL, version="3", scripts=self.TURN))
        host.zypper("update")
        assert toy(host, "cat", f"{self.PATH}/own", f"{self.PATH}/data").stdout == "own\n1\n"
        assert host.run(*OVERLAY, "rpm", "-Va").stdout == ""
        assert self.differing(host) == []
