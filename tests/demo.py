# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, shown on a throwaway host: install in the overlay, update the host, come back, and all is true."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import image
from host import Host
from packages import Package

EDITOR_2 = replace(
    image.EDITOR, version="2", files={**image.EDITOR.files, "/usr/bin/editor": "#!/bin/sh\necho editor 2"}
)
TRACER = Package("tracer", files={"/usr/bin/tracer": "#!/bin/sh\necho tracer"})
HELLO_2 = replace(image.HELLO, version="2", files={"/usr/bin/hello": "#!/bin/sh\necho 'Hello again!'"})

SET = "/usr/lib/sysimage/rpm-headers"
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Story:
    """Runs commands in the host, shows them, and counts what was checked."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.checked = 0

    def run(self, command: str, *, status: int = 0) -> str:
        """Run and show a command; its status is one more claim."""
        print(f"{BOLD}# {command}{PLAIN}", flush=True)
        done = self._host.run("sh", "-c", f"exec 2>&1; {command}", check=False)
        for line in filter(str.strip, done.stdout.splitlines()):
            if "Alien" not in line and "assuming you know" not in line and "Additional rpm output" not in line:
                print(f"{DIM}{line}{PLAIN}", flush=True)
        self.check(done.returncode == status, f"status {status}")
        return done.stdout

    @contextmanager
    def meanwhile(self, command: str) -> Iterator[int]:
        """Run and show a command in the background during the context, and yield its PID."""
        print(f"{BOLD}# {command} &{PLAIN}", flush=True)
        with subprocess.Popen(self._host.command("sh", "-c", f"exec {command}"), stdin=subprocess.DEVNULL) as process:
            try:
                yield process.pid
            finally:
                process.kill()

    def check(self, holds: bool, claim: str) -> None:
        """Check a claim."""
        if not holds:
            sys.exit(f"FAILED: {claim}")
        self.checked += 1

    def count(self) -> int:
        """Show how many headers set and database of the host hold, which must be the same, and return it."""
        headers = int(self.run(f"ls {SET}/*.hdr | wc -l"))
        self.check(headers == int(self.run("rpm -qa | wc -l")), "one header file per package of the host")
        return headers


def tell(story: Story, host: Host) -> None:
    """Tell the story; ends the program at the first claim that does not hold."""
    print("\nA host with a header set: one file per package.")
    before = story.count()

    print("\nInstall a package in the overlay. The host does not have it.")
    story.run("toy -- zypper -n -q install hello")
    story.check("Hello" in story.run("toy -- hello"), "hello works in the overlay")
    story.run("hello", status=127)

    print("\nThe host is updated: one package upgraded, one added, one erased. rpm's triggers keep its set current.")
    image.publish(host, EDITOR_2, TRACER)
    story.run("zypper -n -q update")
    story.run("zypper -n -q install tracer")
    story.check(story.count() == before + 1, "the set has the package that was added")
    story.run("zypper -n -q remove legacy")
    story.check(story.count() == before, "the set has not the package that was erased")

    print("\nBack in the overlay: its package is there, and so is all that the host did.")
    story.check("Hello" in story.run("toy -- hello"), "hello still works")
    packages = story.run("toy -- rpm -qa").split()
    story.check("editor-2-1.noarch" in packages, "the host's upgrade shows")
    story.check("tracer-1-1.noarch" in packages, "the host's new package shows")
    story.check(not any(name.startswith("legacy") for name in packages), "the erased package is gone")
    story.check("hello-1-1.noarch" in packages, "the overlay's package is installed")
    story.check(story.run("toy -- rpm -Va") == "", "rpm -Va has nothing to say")

    print("\nDebug the host from there: its processes can be seen and traced.")
    with story.meanwhile("sleep 1000") as pid:
        traced = story.run(f"toy --host -- timeout 1 strace -p {pid}", status=124)
        story.check(f"Process {pid} attached" in traced, "a process of the host is traced")
        listed = story.run(f"toy --host -- cat /proc/{pid}/comm")
        story.check(listed == "sleep\n", "a process of the host shows")

    print("\nA second terminal joins the first: both are in the same overlay. A pipe goes through as it is.")
    with story.meanwhile("toy -- sh -c 'echo from the first >/srv/note; exec sleep 1000'"):
        note = story.run("toy -- sh -c 'until [ -s /srv/note ]; do :; done; cat /srv/note'")
        story.check(note == "from the first\n", "the second sees what the first wrote")
        digests = story.run("seq 1000000 | toy -- sha256sum; seq 1000000 | sha256sum").split()
        story.check(digests[0] == digests[2], "what went through the pipe is the same")

    print("\nRemove in the overlay: its own package, and one of the host's.")
    story.run("toy -- zypper -n -q remove hello library")
    packages = story.run("toy -- rpm -qa").split()
    story.check(not any(name.startswith(("hello", "library")) for name in packages), "both are still gone")
    story.run("toy -- ls /usr/bin/hello /usr/lib/library", status=2)
    story.check(story.run("toy -- rpm -Va") == "", "rpm -Va has nothing to say")
    story.check("library-1-1.noarch" in story.run("rpm -q library; rpm -V library"), "the host has its package")
    story.run("cat /usr/lib/library/lib.so")
    story.check(story.count() == before, "the host's set is as it was")

    print("\nBoth sides have the same package: the overlay's gives way once the host's is newer.")
    story.run("toy -- zypper -n -q install hello")
    image.publish(host, HELLO_2)
    story.run("zypper -n -q install hello")
    story.check("retired: hello 1-1 (host has 2-1)" in story.run("toy -- rpm -q hello"), "it is said")
    story.check(story.run("toy -- rpm -Va") == "", "rpm -Va has nothing to say")
    story.check("removed: library (host has 1-1)" in story.run("toy status"), "what the overlay removed is still gone")
    story.check("hello" not in story.run("toy diff"), "no file of the overlay's version is left")


@contextmanager
def demo_host() -> Iterator[Host]:
    """Yield a host with toy; it leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="toy-demo.", dir="/var/tmp") as directory:
        with Host(Path(directory, "host"), like=image.make(Path(directory, "image"))) as host:
            yield host


if __name__ == "__main__":
    print("Building a throwaway host: packages, a repository, and toy from its own rpm …", flush=True)
    with demo_host() as throwaway:
        shown = Story(throwaway)
        tell(shown, throwaway)
    print(
        f"\nShown ({shown.checked} claims checked): packages installed and removed in the overlay over a host that was "
        "upgraded meanwhile; they stay so or give way, the rpm database is true, and the host is untouched."
    )
