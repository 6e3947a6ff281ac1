# SPDX-License-Identifier: GPL-2.0-or-later
"""The commit plugin: frame by frame, and driven by real zypper."""

import json
import shlex
import subprocess
from dataclasses import replace

import pytest
from host import Host
from image import EDITOR, publish
from packages import Package
from truth import OVERLAY, database, is_current, packages, stamp

PLUGIN = "/usr/lib/zypp/plugins/commit/toy"
ACK = b"ACK\n\n\0"

OUTSIDE = Package("outside", files={"/etc/outside": "1"})
"""A package that fires no trigger of toy's."""


def frame(command: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [command, *(f"{key.replace('_', '-')}:{value}" for key, value in headers.items())]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + body + b"\0"


def talk(host: Host, *frames: bytes, **env: str) -> "subprocess.CompletedProcess[bytes]":
    """Send frames and the end of the stream, and return all that came back."""
    return host.run_bytes(PLUGIN, content=b"".join(frames), env=env)


@pytest.fixture
def stale(host: Host) -> Host:
    """A host whose database changed without any trigger."""
    host.sh(f"{' '.join(host.rpm)} -e --justdb --notriggers legacy")
    assert not is_current(host)
    return host


STEPS = json.dumps({"TransactionStepList": [{"type": "?", "solvable": {"n": "gone"}}]}).encode()


@pytest.mark.parametrize("command", ["COMMITEND", "PLUGINEND"])
def test_dumps_at(stale: Host, command: str) -> None:
    assert talk(stale, frame(command, STEPS)).stdout == ACK
    assert is_current(stale)


@pytest.mark.parametrize("command", ["PLUGINBEGIN", "COMMITBEGIN", "_DISCONNECT"])
def test_only_acknowledges(stale: Host, command: str) -> None:
    assert talk(stale, frame(command, STEPS)).stdout == ACK
    assert not is_current(stale)


def test_a_whole_commit(stale: Host) -> None:
    commands = ["PLUGINBEGIN", "COMMITBEGIN", "COMMITEND", "PLUGINEND", "_DISCONNECT"]
    done = talk(stale, *(frame(command, userdata="") for command in commands))
    assert (done.stdout, done.stderr, done.returncode) == (5 * ACK, b"", 0)
    assert is_current(stale)


def test_a_commit_that_fails_after_one_that_did_not(host: Host) -> None:
    # Of the second, no COMMITEND comes.
    first = [frame("PLUGINBEGIN"), frame("COMMITBEGIN"), frame("COMMITEND"), frame("COMMITBEGIN")]
    plugin = subprocess.Popen(host.command(PLUGIN), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert plugin.stdin is not None and plugin.stdout is not None
    plugin.stdin.write(b"".join(first))
    plugin.stdin.flush()
    assert plugin.stdout.read(4 * len(ACK)) == 4 * ACK
    host.sh(f"{' '.join(host.rpm)} -e --justdb --notriggers legacy")
    assert not is_current(host)
    assert plugin.communicate(frame("PLUGINEND"))[0] == ACK
    assert is_current(host)


def test_an_unknown_command_is_refused_and_the_next_is_answered(host: Host) -> None:
    assert talk(host, frame("NEWS", b"x"), frame("PLUGINEND")).stdout == b"_ENOMETHOD\nCommand:NEWS\n\n\0" + ACK


def test_content_length(host: Host) -> None:
    body = b'{"with": "\0"}'
    answers = talk(host, frame("COMMITBEGIN", body, content_length=str(len(body))), frame("PLUGINBEGIN")).stdout
    assert answers == 2 * ACK


@pytest.mark.parametrize("length", [0, 8191, 8192, 8193, 4_000_000])
def test_a_body_of_any_length(host: Host, length: int) -> None:
    # A step for each package of a large update.
    assert talk(host, frame("COMMITBEGIN", b"x" * length), frame("PLUGINBEGIN")).stdout == 2 * ACK


@pytest.mark.parametrize("length", ["", "x", "-1", "2"])
def test_a_content_length_that_is_none_is_no_matter(host: Host, length: str) -> None:
    assert talk(host, frame("COMMITBEGIN", STEPS, content_length=length), frame("PLUGINBEGIN")).stdout == 2 * ACK


@pytest.mark.parametrize(
    "rest",
    [b"", b"\n\n", b"COMM", b"COMMITEND", b"COMMITEND\n", b"COMMITEND\nkey:v", b"COMMITEND\n\nbody", b"\xff\n\n"],
)
def test_the_end_of_the_stream_in_mid_frame(host: Host, rest: bytes) -> None:
    before = stamp(host)
    done = talk(host, frame("PLUGINBEGIN"), rest)
    assert (done.stdout, done.stderr, done.returncode) == (ACK, b"", 0)
    assert stamp(host) == before


REFUSED = b"_ENOMETHOD\nCommand:%b\n\n\0"
NEXT = frame("PLUGINBEGIN")
ODD = {
    "a length of 4,301 digits": (frame("COMMITBEGIN", STEPS, content_length="9" * 4301) + NEXT, 2 * ACK),
    "a length of 10^15": (frame("COMMITBEGIN", STEPS, content_length="1" + "0" * 15) + NEXT, 2 * ACK),
    "a length of 10^9": (frame("COMMITBEGIN", STEPS, content_length="1" + "0" * 9), None),
    "a length in other digits": (frame("COMMITBEGIN", STEPS, content_length="\u0663") + NEXT, 2 * ACK),
    "a line without an end": (b"A" * 300_000_000, b""),
    "a long line": (b"A" * 300_000_000 + b"\n\n\0" + NEXT, REFUSED % (b"A" * 1024) + ACK),
    "a million headers": (b"COMMITBEGIN\n" + b"a:b\n" * 1_000_000 + b"\n\0" + NEXT, 2 * ACK),
    "a body without an end": (b"COMMITBEGIN\n\n" + b"A" * 300_000_000, b""),
    "null bytes": (b"\0" * 100_000_000 + NEXT, ACK),
    "empty lines": (b"\n" * 100_000_000 + NEXT, ACK),
    "a null byte in a command": (b"COMMIT\0BEGIN\n\n\0" + NEXT, REFUSED % b"COMMIT" + REFUSED % b"BEGIN" + ACK),
    "no empty line": (b"COMMITBEGIN\n\0" + NEXT, 2 * ACK),
    "headers that are none": (b"COMMITBEGIN\n:\n::\ncontent-length\n\xff\n\n\0" + NEXT, 2 * ACK),
}


@pytest.mark.parametrize("kind", ODD)
def test_any_stream_is_answered_in_bounded_memory(host: Host, kind: str) -> None:
    content, answers = ODD[kind]
    done = host.run_bytes("sh", "-c", f"ulimit -v 100000; exec {PLUGIN}", content=content)
    assert (done.stderr, done.returncode) == (b"", 0)
    assert done.stdout == answers or (answers is None and done.stdout in (b"", ACK))


def test_a_body_that_is_shorter_than_it_says_is_not_waited_for(host: Host) -> None:
    plugin = subprocess.Popen(host.command(PLUGIN), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert plugin.stdin is not None and plugin.stdout is not None
    for _ in range(2):
        plugin.stdin.write(frame("COMMITBEGIN", STEPS, content_length="100000"))
        plugin.stdin.flush()
        assert plugin.stdout.read(len(ACK)) == ACK
    assert plugin.communicate()[0] == b""


def test_a_dump_that_fails_is_one_line_and_acknowledged(host: Host) -> None:
    host.sh("mv /usr/lib/sysimage/rpm-headers /tmp/aside; echo > /usr/lib/sysimage/rpm-headers")
    host.sh(f"{' '.join(host.rpm)} -e --justdb --notriggers legacy")
    done = talk(host, frame("COMMITEND"))
    assert done.stdout == ACK
    assert done.stderr.decode().splitlines() == [
        "toy plugin: /usr/lib/sysimage/rpm-headers is not a directory;"
        " move it away: mv --backup=numbered -T /usr/lib/sysimage/rpm-headers /usr/lib/sysimage/rpm-headers.away"
    ]


@pytest.mark.parametrize("streams", [">/dev/full", ">&-", "<&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_streams_that_cannot_be_used(stale: Host, streams: str) -> None:
    stale.run("rm", "/usr/bin/toy")  # so that there is something to say
    done = stale.run("sh", "-c", f"printf 'COMMITEND\\n\\n\\0PLUGINEND\\n\\n\\0' | {PLUGIN} {streams}")
    assert done.stdout == (2 * ACK.decode() if "2>" in streams and ">&- 2" not in streams else "")
    assert "Traceback" not in done.stderr


def test_a_toy_that_is_not_there_is_one_line_and_acknowledged(host: Host) -> None:
    host.run("rm", "/usr/bin/toy")
    said = "toy plugin: cannot run /usr/bin/toy: No such file or directory"
    done = talk(host, frame("COMMITEND"), frame("PLUGINEND"))
    assert done.stdout == 2 * ACK
    assert done.stderr.decode().splitlines() == [said]
    host.zypper("install", "hello")
    assert said in host.run("cat", "/var/log/zypper.log").stdout


def test_a_dump_that_hangs_is_given_up_before_libzypp_gives_up_the_plugin(host: Host) -> None:
    # The set's lock is held by somebody who does not let go.
    host.sh(f"{' '.join(host.rpm)} -e --justdb --notriggers legacy")
    holder = subprocess.Popen(
        host.command("flock", "/usr/lib/sysimage/rpm-headers/.lock", "sh", "-c", "echo locked; read line"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
    done = talk(host, frame("COMMITEND"))
    holder.communicate()
    assert done.stdout == ACK
    assert done.stderr.decode().splitlines() == [
        "toy plugin: toy dump did not finish within 20 s and was stopped; run: toy dump --changed"
    ]


def test_a_new_snapshot_is_dumped_and_the_running_root_is_not(stale: Host) -> None:
    # As zypper -R does for transactional-update, from the running host.
    before = stamp(stale)
    stale.sh("mkdir -p /snapshot/usr/lib/sysimage; cp -a /usr/lib/sysimage/rpm /snapshot/usr/lib/sysimage")
    assert talk(stale, frame("COMMITEND"), TRANSACTIONAL_UPDATE_ROOT="/snapshot").stdout == ACK
    assert stamp(stale) == before
    assert len(stale.sh("ls /snapshot/usr/lib/sysimage/rpm-headers").split()) == len(
        stale.run("rpm", "-qa").stdout.split()
    )


@pytest.mark.parametrize(
    ("host", "where"),
    [("plain", ()), ("plain", OVERLAY), ("microos", OVERLAY)],
    ids=["host", "overlay", "overlay-microos"],
    indirect=["host"],
)
class TestZypper:
    """With triggers that do nothing, so that all is the plugin's doing."""

    @pytest.fixture(autouse=True)
    def without_triggers(self, host: Host) -> None:
        host.change(f"{' '.join(host.rpm)} -e --justdb --notriggers toy")

    def zypper(self, host: Host, where: tuple[str, ...], *arguments: str) -> None:
        """Run zypper, and see that the set is current in the same launch, before toy itself looks after it."""
        script = 'zypper -n "$@" && rm -rf /root/seen && cp -a /usr/lib/sysimage/rpm-headers /root/seen'
        host.run(*where, "sh", "-c", script, "sh", *arguments)
        seen = host.sh("cd /root/seen && sha256sum -- *.hdr").split()[::2]
        assert sorted(seen) == sorted(database(host, *where))

    def test_install(self, host: Host, where: tuple[str, ...]) -> None:
        publish(host, OUTSIDE)
        self.zypper(host, where, "install", "outside", "hello")
        assert packages(host, *where) >= {"outside-1", "hello-1"}

    def test_remove(self, host: Host, where: tuple[str, ...]) -> None:
        self.zypper(host, where, "remove", "legacy", "library")
        assert packages(host, *where) == {"editor-1"}

    def test_upgrade(self, host: Host, where: tuple[str, ...]) -> None:
        publish(host, replace(EDITOR, version="2"))
        self.zypper(host, where, "update")
        assert packages(host, *where) == {"editor-2", "library-1", "legacy-1"}

    def test_obsoletes(self, host: Host, where: tuple[str, ...]) -> None:
        # The step list does not mention the obsoleted package.
        publish(
            host, Package("modern", files={"/usr/bin/modern": ""}, tags=("Obsoletes: legacy", "Provides: legacy = 9"))
        )
        self.zypper(host, where, "install", "modern")
        assert packages(host, *where) == {"editor-1", "library-1", "modern-1"}

    @pytest.mark.parametrize("plugin", ["kill -9 $$", "exit 0", "exit 1", "echo nonsense", "printf 'ERROR\\n\\n\\0'"])
    def test_a_commit_does_not_need_the_plugin(self, host: Host, where: tuple[str, ...], plugin: str) -> None:
        script = f"#!/bin/sh\n{plugin}\n"
        host.change(f"printf %s {shlex.quote(script)} > {PLUGIN}")
        host.run(*where, "zypper", "-n", "install", "hello")
        assert "hello-1" in packages(host, *where)
        host.run(*where, "toy", "dump")
        assert is_current(host, *where)


def test_the_plugin_killed_in_its_dump_breaks_nothing(host: Host) -> None:
    host.sh(f"{' '.join(host.rpm)} -e --justdb --notriggers toy")
    host.write("/usr/bin/toy.killer", "#!/bin/sh\nkill -9 $PPID\n")
    host.sh("chmod 755 /usr/bin/toy.killer; mv /usr/bin/toy /usr/bin/toy.real; mv /usr/bin/toy.killer /usr/bin/toy")
    host.zypper("install", "hello")
    assert "hello-1" in packages(host)
    assert not is_current(host)
    host.run("mv", "/usr/bin/toy.real", "/usr/bin/toy")
    assert packages(host, *OVERLAY) == packages(host)
    assert is_current(host)
