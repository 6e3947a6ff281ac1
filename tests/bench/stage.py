# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts with any number of packages, on file systems of their own, and what is measured on them."""

import contextlib
import functools
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import awkward
import headers
import rpm
from host import Host
from image import SOURCE

FILE_SYSTEMS = {"ext4": ["-q"], "btrfs": ["-q"], "xfs": ["-q"]}
"""Options of mkfs; the last two share blocks between copies."""

_CLOCK = ("/usr/bin/python3", f"{SOURCE}/tests/bench/clock.py")
_DATABASE = "/usr/lib/sysimage/rpm"

_BARE = """
import json, sys
sys.path.insert(0, "/usr/lib/toy")
from toy import machine
from toy.launch import fingerprint, invocation
toy = machine.Machine("toy")
entry = invocation.Invocation(toy, fingerprint.recall(toy), ["true"])
entry.write()
print(json.dumps(entry.command))
"""


@contextlib.contextmanager
def file_system(kind: str, directory: Path) -> Iterator[Path]:
    """Yield the root of a new file system, mounted from a file in `directory`."""
    image, root = directory / f"{kind}.img", directory / kind
    root.mkdir()
    with open(image, "wb") as file:
        file.truncate(12 << 30)
    subprocess.run([f"mkfs.{kind}", *FILE_SYSTEMS[kind], image], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mount", "-o", "loop", image, root], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", root], check=True)
        image.unlink()
        root.rmdir()


class Stage(Host):
    """A host with many packages, whose database and /var/lib/toy lie on one file system, as on a real one."""

    def __init__(self, directory: Path, *, like: Path, models: list[bytes], count: int, rpms: Path) -> None:
        database = directory / "rpm"
        directory.mkdir()
        own = [blob for blob, _ in awkward.headers(like / _DATABASE.lstrip("/"))]
        _import(database, own, headers.stamped(models, count))
        super().__init__(directory / "host", like=like, binds={database: _DATABASE, rpms: "/srv/bench"})
        self.packages = count

    def __enter__(self) -> Self:
        super().__enter__()
        self.run("toy", "dump")
        return self

    def clock(self, *command: str, times: int = 1, within: Iterable[str] = ()) -> tuple[float, int]:
        """Return the seconds that the last of some runs took, and the peak memory of all in KiB."""
        runs = json.loads(self.run(*within, *_CLOCK, str(times), *command).stdout)
        return runs[-1][0], max(memory for _, memory in runs)

    def bare(self) -> float:
        """Return the seconds that the nspawn of a launch takes, on an overlay that is mounted, and was used before."""
        command = self._command_of_launch
        nspawn = command.index("systemd-nspawn")
        within = ["env", "SYSTEMD_NSPAWN_LOCK=0", *command[:nspawn]]
        return self.clock(*command[nspawn:], times=2, within=within)[0]

    @functools.cached_property
    def _command_of_launch(self) -> list[str]:
        """The command line of a launch with nothing to do, which cannot be asked for while somebody is in."""
        command: list[str] = json.loads(self.run("/usr/bin/python3", "-c", _BARE).stdout)
        return command

    def forget(self) -> None:
        """Remove all machines, as before the first launch."""
        self.sh("rm -rf /var/lib/toy/* /run/toy; sync --file-system /var/lib/toy")  # not during the next run

    def count(self, *where: str) -> int:
        """Return how many packages are installed, in the host, or where the command `where` enters."""
        return len(self.run(*where, "rpm", "-qa").stdout.split())


def _import(database: Path, *groups: Iterable[bytes]) -> None:
    with subprocess.Popen(["rpmdb", "--dbpath", database, "--importdb"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for blobs in groups:
            for blob in blobs:
                process.stdin.write(rpm.header_magic + blob)
    assert process.returncode == 0
