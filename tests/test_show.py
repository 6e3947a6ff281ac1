# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy status` and `toy diff`: what is in a machine that is not on the host."""

import json
from dataclasses import replace
from typing import Any

import pytest
from host import Host
from image import EDITOR, LEGACY, LIBRARY, publish
from overlay import refused, start
from packages import Package
from truth import OVERLAY

UPPER = "/var/lib/toy/toy/overlay"

pytestmark = pytest.mark.everywhere


def lines(host: Host, *command: str) -> list[str]:
    done = host.run("toy", *command)
    assert done.stderr == ""
    return done.stdout.splitlines()


def as_json(host: Host, *command: str) -> Any:
    return json.loads(host.run("toy", *command, "--json").stdout)


@pytest.fixture
def busy(host: Host) -> Host:
    """A host and a machine that both did something, before the machine follows."""
    publish(host, replace(LIBRARY, version="2"))
    host.run(*OVERLAY, "zypper", "-n", "install", "hello", "library")
    host.run(*OVERLAY, "zypper", "-n", "remove", "legacy")
    host.run(*OVERLAY, "sh", "-c", "echo 1 >> /etc/editor.conf; echo 2 > /etc/own; mv /usr/bin/editor /usr/bin/edit")
    return host


@pytest.mark.parametrize("verb", ["status", "diff"])
def test_no_such_machine(host: Host, verb: str) -> None:
    assert refused(host, "toy", verb) == "there is no machine toy; to make it: toy -n toy"
    assert refused(host, "toy", verb, "other") == "there is no machine other; to make it: toy -n other"
    assert "is no name for a machine" in refused(host, "toy", verb, "../toy")
    assert host.run("ls", "-A", "/var/lib/toy").stdout == ""


class TestStatus:
    """`toy status`."""

    def test_what_the_overlay_has(self, busy: Host) -> None:
        assert lines(busy, "status") == [
            "machine: toy",
            "state: current",
            "added: hello 1-1",
            "added: library 2-1 (host has 1-1)",
            "removed: legacy (host has 1-1)",
        ]

    def test_what_became_of_it(self, busy: Host) -> None:
        ours, theirs = Package("ours", files={"/usr/share/x": "1"}), Package("theirs", files={"/usr/share/x": "2"})
        needy, needed = Package("needy", tags=("Requires: needed",)), Package("needed")
        publish(busy, ours, theirs, needy, needed)
        busy.zypper("install", "needed")
        busy.run(*OVERLAY, "zypper", "-n", "install", "ours", "needy")
        publish(busy, replace(EDITOR, version="2", files={**EDITOR.files, "/etc/editor.conf": "tabs=4"}))
        busy.zypper("install", "hello", "theirs", "editor")
        busy.zypper("remove", "needed")
        assert lines(busy, "status")[1] == "state: behind, the host changed since"
        busy.run(*OVERLAY, "true")
        status = as_json(busy, "status")
        assert status["machine"] == "toy"
        assert (status["in_use"], status["current"]) == (False, True)
        assert [package["name"] for package in status["added"]] == ["library", "needy", "ours"]
        assert status["added"][0] == {"name": "library", "arch": "noarch", "overlay": "2-1", "host": "1-1"}
        assert status["removed"] == [{"name": "legacy", "arch": "noarch", "overlay": None, "host": "1-1"}]
        assert status["retired"] == ["hello 1-1 (host has 1-1)"]
        assert status["conflicts"] == [{"path": "/usr/share/x", "host": "theirs 1-1", "overlay": "ours 1-1"}]
        assert status["shadowed"] == ["/etc/editor.conf"]
        assert status["broken"] == ["needed is needed by needy-1-1.noarch"]
        kinds = ["broken", "conflict", "retired", "shadowed", "followed"]
        assert {event["kind"] for event in status["events"]} == set(kinds)
        log = [line for line in busy.sh("cat /var/lib/toy/toy/log").splitlines() if status["reconciled"] in line]
        assert len(log) == len(kinds)
        shown = lines(busy, "status")
        assert {line.split(" ", 1)[1] for line in log} <= set(shown)
        assert "broken: needed is needed by needy-1-1.noarch" in shown
        assert "conflict: /usr/share/x of the host's theirs 1-1 is ours 1-1's here" in shown

    def test_a_machine_in_use(self, busy: Host) -> None:
        before = lines(busy, "status")
        process = start(busy, *OVERLAY, "sh", "-c", "echo waiting; exec sleep 1000")
        assert lines(busy, "status") == [before[0], "state: in use", *before[2:]]
        process.kill()
        process.communicate()

    def test_it_changes_nothing(self, busy: Host) -> None:
        publish(busy, replace(LEGACY, version="2"))
        busy.zypper("update")
        look = "find /var/lib/toy /usr/lib/sysimage -type f | grep -v -e -shm -e -wal | xargs sha256sum"
        before = busy.sh(look)
        lines(busy, "status")
        lines(busy, "diff")
        assert busy.sh(look) == before

    def test_a_lost_base(self, busy: Host) -> None:
        busy.run("rm", "/var/lib/toy/toy/base")
        assert refused(busy, "toy", "status") == "/var/lib/toy/toy/base cannot be read; enter the machine: toy -n toy"


class TestDiff:
    """`toy diff`."""

    def test_each_path_with_its_owner(self, busy: Host) -> None:
        assert lines(busy, "diff") == [
            "changed  /etc/editor.conf  editor 1-1",
            "added    /etc/own  not owned",
            "added    /usr/bin/edit  not owned",
            "removed  /usr/bin/editor  editor 1-1",
            "added    /usr/bin/hello  hello 1-1",
            "removed  /usr/bin/legacy  legacy 1-1",
        ]

    def test_json(self, busy: Host) -> None:
        found = as_json(busy, "diff")
        assert found[0] == {"change": "changed", "path": "/etc/editor.conf", "packages": ["editor 1-1"]}
        assert found[1] == {"change": "added", "path": "/etc/own", "packages": []}
        assert len(found) == 6

    def test_directories_and_kinds(self, host: Host) -> None:
        host.change("mkdir -p /usr/share/one/two /usr/share/three; touch /usr/share/one/two/file /usr/share/three/file")
        host.change("cd /usr/share; mkdir four five; touch four/file five/file; ln -s one link; touch plain")
        script = """cd /usr/share; rm -r one; rm -r three; mkdir three; touch three/new; rm -r four; touch four
            chmod 700 five; rm link; ln -s five link; rm plain; mkdir -p plain/inner; touch five/file"""
        host.run(*OVERLAY, "sh", "-ec", script)
        assert [line.removesuffix("  not owned") for line in lines(host, "diff")] == [
            "changed  /usr/share/five",
            "changed  /usr/share/four",
            "removed  /usr/share/four/file",
            "changed  /usr/share/link",
            "removed  /usr/share/one",
            "removed  /usr/share/one/two",
            "removed  /usr/share/one/two/file",
            "changed  /usr/share/plain",
            "added    /usr/share/plain/inner",
            "removed  /usr/share/three/file",
            "added    /usr/share/three/new",
        ]

    def test_a_name_that_would_write_on_the_terminal(self, host: Host) -> None:
        host.run(*OVERLAY, "sh", "-c", "touch \"$(printf '/etc/a\\033[2Jb')\" \"$(printf '/etc/\\377')\"")
        assert lines(host, "diff") == ["added    /etc/a\\x1b[2Jb  not owned", "added    /etc/\\udcff  not owned"]
        assert [found["path"] for found in as_json(host, "diff")] == ["/etc/a\x1b[2Jb", "/etc/\udcff"]

    def test_a_reader_that_has_enough(self, busy: Host) -> None:
        busy.run(*OVERLAY, "sh", "-c", "cd /etc; for i in $(seq 5000); do echo > file-$i; done")
        done = busy.run("sh", "-c", "toy diff | head -n 1")
        assert (done.stdout, done.stderr) == ("changed  /etc/editor.conf  editor 1-1\n", "")

    @pytest.mark.only_plain("/srv is no mount there")
    def test_links_and_depths_in_the_upper(self, host: Host) -> None:
        host.run(*OVERLAY, "true")
        host.sh(f"mkdir -p {UPPER}/opt; ln -s /etc {UPPER}/opt/link; ln -s /etc {UPPER}/srv; ln -s .. {UPPER}/opt/up")
        deep = f"import os\nos.chdir('{UPPER}/opt')\nfor _ in range(1200): os.mkdir('deep'); os.chdir('deep')"
        host.run("/usr/bin/python3", "-c", deep)
        found = lines(host, "diff")
        assert sum(line.startswith("added    /opt/deep") for line in found) == 1200
        assert {"changed  /srv  not owned", "added    /opt/link  not owned"} <= set(found)
        host.sh(f"rm -rf {UPPER}/opt")  # pytest's own clearing up does not get that deep
