# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy status` and `toy diff`: what is in a machine that is not on the host."""

import json
from dataclasses import replace
from typing import Any

import pytest
from host import Host
from image import EDITOR, LEGACY, LIBRARY, RPMS, publish
from overlay import refused, start
from packages import Package
from truth import OVERLAY

UPPER = "/var/lib/toy/toy/overlay"


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


def test_no_such_machine(host: Host) -> None:
    assert refused(host, "toy", "diff") == "there is no machine toy; to make it: toy -n toy"
    assert refused(host, "toy", "diff", "other") == "there is no machine other; to make it: toy -n other"
    for verb in ("status", "diff"):
        assert "cannot be the name of a machine" in refused(host, "toy", verb, "../toy")
    assert host.run("ls", "-A", "/var/lib/toy").stdout == ""


class TestStatus:
    """`toy status`."""

    @pytest.mark.everywhere
    def test_what_the_overlay_has(self, busy: Host) -> None:
        assert lines(busy, "status") == [
            "machine: toy",
            "state: current",
            "added: hello 1-1",
            "added: library 2-1 (host has 1-1)",
            "removed: legacy (host has 1-1)",
        ]

    @pytest.mark.everywhere
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
        assert (status["version"], status["machine"], status["state"]) == (1, "toy", "current")
        assert (status["in_use"], status["current"]) == (False, True)
        assert [package["name"] for package in status["added"]] == ["library", "needy", "ours"]
        assert status["added"][0] == {"name": "library", "arch": "noarch", "overlay": "2-1", "host": "1-1"}
        assert status["removed"] == [{"name": "legacy", "arch": "noarch", "overlay": None, "host": "1-1"}]
        assert status["retired"] == ["hello 1-1 (host has 1-1)"]
        assert status["conflicts"] == [{"path": "/usr/share/x", "host": "theirs 1-1", "overlay": "ours 1-1"}]
        assert status["shadowed"] == ["/etc/editor.conf"]
        assert status["broken"] == ["needed is needed by needy-1-1.noarch"]
        assert [event["kind"] for event in status["events"]] == ["retired", "followed"]
        log = [line for line in busy.sh("cat /var/lib/toy/toy/log").splitlines() if status["reconciled"] in line]
        kinds = [line.split()[1] for line in log]
        assert kinds == ["broken:", "conflict:", "retired:", "shadowed:", "followed:"]
        assert lines(busy, "status")[2:] == [
            "added: library 2-1 (host has 1-1)",
            "added: needy 1-1",
            "added: ours 1-1",
            "removed: legacy (host has 1-1)",
            "conflict: /usr/share/x of the host's theirs 1-1 is ours 1-1's here",
            "shadowed: /etc/editor.conf (changed later on the host)",
            "broken: needed is needed by needy-1-1.noarch",
            "mend: toy -n toy -- zypper verify",
            f"reconciled: {status['reconciled']}",
            *(line.split(" ", 1)[1] for line in log if line.split()[1] in ("retired:", "followed:")),
        ]

    def test_what_the_host_has_broken_itself_is_not_the_machines(self, host: Host) -> None:
        needy, needed = Package("needy", tags=("Requires: needed",)), Package("needed")
        lone = Package("lone", tags=("Requires: nothing-has-this",))
        publish(host, needy, needed, lone)
        host.change(" ".join((*host.rpm, "-i", "--nodeps", f"{RPMS}/{lone.file}")))
        host.run(*OVERLAY, "true")
        assert lines(host, "status") == ["machine: toy", "state: current"]
        host.zypper("install", "needed")
        host.run(*OVERLAY, "zypper", "-n", "install", "needy")
        host.change(" ".join((*host.rpm, "-e", "--nodeps", "needed")))
        said = host.run(*OVERLAY, "true").stderr
        problem = "needed is needed by needy-1-1.noarch"
        assert said == f"toy: broken: {problem} (mend it: toy -n toy -- zypper verify)\n"
        assert as_json(host, "status")["broken"] == [problem]

    def test_what_breaks_on_the_host_alone_is_not_said(self, host: Host) -> None:
        publish(host, Package("needy", tags=("Requires: needed",)), Package("needed"))
        host.zypper("install", "needy")
        host.run(*OVERLAY, "true")
        host.change(" ".join((*host.rpm, "-e", "--nodeps", "needed")))
        assert host.run(*OVERLAY, "true").stderr == ""
        assert as_json(host, "status")["broken"] == []

    def test_to_follow_without_a_word_is_no_news(self, busy: Host) -> None:
        busy.zypper("install", "hello")
        busy.run(*OVERLAY, "true")
        before = lines(busy, "status")
        assert "retired: hello 1-1 (host has 1-1)" in before
        publish(busy, Package("new"), Package("newer"))
        for name in ("new", "newer"):
            busy.zypper("install", name)
            busy.run(*OVERLAY, "true")
        assert busy.sh("tail -n 2 /var/lib/toy/toy/log | cut -d ' ' -f 2") == "followed:\nfollowed:\n"
        assert lines(busy, "status") == before

    def test_what_was_mended_is_not_told_any_more(self, host: Host) -> None:
        ours, theirs = Package("ours", files={"/usr/share/x": "1"}), Package("theirs", files={"/usr/share/x": "2"})
        publish(host, ours, theirs)
        host.run(*OVERLAY, "zypper", "-n", "install", "ours")
        host.zypper("install", "theirs")
        assert "conflict: " in host.run(*OVERLAY, "zypper", "-n", "remove", "ours").stderr
        host.run(*OVERLAY, "true")
        assert not [line for line in lines(host, "status") if "/usr/share/x" in line]

    def test_before_the_first_entry(self, host: Host) -> None:
        for words, name in (((), "toy"), (("other",), "other")):
            state = f"state: not entered yet; to enter it: toy -n {name}"
            assert lines(host, "status", *words) == [f"machine: {name}", state]
            status = as_json(host, "status", *words)
            assert (status["machine"], status["state"], status["in_use"]) == (name, "not entered yet", False)
            assert (status["added"], status["broken"], status["events"]) == ([], [], [])
        assert host.run("ls", "-A", "/var/lib/toy").stdout == ""

    def test_after_a_first_launch_that_failed(self, host: Host) -> None:
        host.sh("mount -t tmpfs -o size=100k tmpfs /var/lib/toy")
        refused(host, *OVERLAY, "true")
        assert lines(host, "status")[1] == "state: not entered yet; to enter it: toy -n toy"

    def test_inside(self, busy: Host) -> None:
        inside = busy.run(*OVERLAY, "toy", "status").stdout.splitlines()
        assert inside[:2] == [
            "machine: toy",
            "state: in use, and this is inside it; the host knows more: toy status toy",
        ]
        assert inside[2:] == lines(busy, "status")[2:]
        status = json.loads(busy.run("toy", "-n", "other", "--", "toy", "status", "--json").stdout)
        assert (status["machine"], status["in_use"], status["added"], status["broken"]) == ("other", True, [], None)
        for verb, why in (
            ("status other", "which knows of no other; on the host: toy status other"),
            ("diff", "where the host's files do not show; on the host: toy diff toy"),
        ):
            done = busy.run(*OVERLAY, "toy", *verb.split(), check=False)
            assert (done.returncode, done.stdout) == (125, "")
            assert done.stderr == f"toy: this is inside machine toy, {why}\n"

    def test_after_toys_own_advice_for_a_damaged_database(self, busy: Host) -> None:
        before = lines(busy, "status")
        busy.sh("for file in /var/lib/toy/toy/rpmdb/*; do echo garbage > $file; done")
        advice = refused(busy, "toy", "status").partition("from the header set: ")[2]
        busy.sh(advice)
        state = "state: without its rpm database; to have it made anew: toy -n toy -- true"
        assert lines(busy, "status") == ["machine: toy", state, *before[2:]]
        status = as_json(busy, "status")
        assert (status["state"], status["broken"], status["current"]) == ("without its rpm database", None, True)
        line = refused(busy, "toy", "diff")
        assert line == "machine toy is without its rpm database; to have it made anew: toy -n toy -- true"
        busy.sh(line.partition("made anew: ")[2])
        assert lines(busy, "status") == before

    def test_a_machine_in_use(self, busy: Host) -> None:
        before = lines(busy, "status")
        process = start(busy, *OVERLAY, "sh", "-c", "echo waiting; exec sleep 1000")
        assert lines(busy, "status") == [before[0], "state: in use; who is in: toy list", *before[2:]]
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
        assert refused(busy, "toy", "status") == (
            "/var/lib/toy/toy/base cannot be read, so it is unknown which packages are the machine's own;"
            " have a launch guess them: toy -n toy -- true"
        )


class TestDiff:
    """`toy diff`."""

    @pytest.mark.everywhere
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

    @pytest.mark.everywhere
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

    def test_links_and_depths_in_the_upper(self, host: Host) -> None:
        host.run(*OVERLAY, "true")
        host.sh(f"mkdir -p {UPPER}/opt; ln -s /etc {UPPER}/opt/link; ln -s /etc {UPPER}/srv; ln -s .. {UPPER}/opt/up")
        deep = f"import os\nos.chdir('{UPPER}/opt')\nfor _ in range(5_000): os.mkdir('d'); os.chdir('d')"
        host.run("/usr/bin/python3", "-c", deep)
        found = lines(host, "diff")
        # As far as a path can have a name: 4,095 bytes.
        assert sum(line.startswith("added    /opt/d") for line in found) == (4095 - len("opt")) // len("/d") + 1
        assert {"changed  /srv  not owned", "added    /opt/link  not owned"} <= set(found)
        host.sh(f"rm -rf {UPPER}/opt")  # pytest's own clearing up does not get that deep
