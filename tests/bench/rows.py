# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: each row of the table is one real command against another, in turns in one run.

Every run asserts that it did its job.
"""

import dataclasses
import shlex
import statistics
import subprocess
from collections.abc import Callable
from typing import Self

import headers
from packages import Package
from stage import Stage

RUNS = 9
LAUNCH = ("toy", "--", "true")
_GIGABYTE = 1 << 30
IMPORT = (
    "rm -rf /var/lib/toy/import && cd /usr/lib/sysimage/rpm-headers && find . -name '*.hdr' -print0 | xargs -0 cat |"
    " rpmdb --dbpath /var/lib/toy/import --importdb"
)
"""The forerunner's way: every header into an empty database."""


def _packages(name: str, version: str, count: int) -> list[Package]:
    return [
        headers.package(f"{name}-{number}", version, files, inside=f"{name}-{number}")
        for number, files in enumerate(headers.sizes(count))
    ]


CHANGED = {version: _packages("changed", version, 20) for version in "12"}
OWN = _packages("own", "1", 10)
MANY = {version: _packages("many", version, 100) for version in "12"}
PACKAGES = [*CHANGED["1"], *CHANGED["2"], *OWN, *MANY["1"], *MANY["2"]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: medians, and the median of the ratios of runs that followed each other."""

    what: str
    against: str
    goal: str
    """As in "≤ 1.4" or "≥ 10"; in which direction the ratio counts follows from it."""
    file_system: str
    packages: int
    ours: float
    theirs: float
    ratio: float
    unit: str = "s"
    runs: int = RUNS

    @property
    def reached(self) -> bool:
        """Whether the ratio is as good as the goal."""
        sign, limit = self.goal.split()
        return self.ratio <= float(limit) if sign == "≤" else self.ratio >= float(limit)


def row(
    what: str,
    against: str,
    goal: str,
    stage: Stage,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    file_system: str,
    unit: str = "s",
    runs: int = RUNS,
) -> Row:
    """Measure in turns, after one run of each that does not count."""
    pairs = [(ours(), theirs()) for _ in range(runs + 1)][1:]
    ratios = [one / other if goal.startswith("≤") else other / one for one, other in pairs]
    one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(
        what, against, goal, file_system, stage.packages, one, other, statistics.median(ratios), unit=unit, runs=runs
    )


def install(stage: Stage, packages: list[Package], *, triggers: bool = True) -> None:
    """Install packages on the host by one call of rpm, whatever their versions."""
    options = ["--upgrade", "--oldpackage", "--nosignature", *([] if triggers else ["--notriggers"])]
    stage.run(*stage.rpm, *options, *(f"/srv/bench/{package.file}" for package in packages))


def warm(stage: Stage) -> float:
    """Return the seconds of a launch with nothing to do."""

    def prepared() -> str:
        return stage.run("stat", "--format=%i %y", "/var/lib/toy/toy/seen", check=False).stdout

    while True:  # what changed a moment ago is looked at once more
        before = prepared()
        seconds, _ = stage.clock(*LAUNCH)
        if prepared() == before:
            return seconds


class Entered:
    """A machine that somebody is in."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __enter__(self) -> Self:
        line = self._stage.command("toy", "--", "sh", "-c", "echo in; exec sleep infinity")
        self._first = subprocess.Popen(line, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self._first.stdout is not None
        assert self._first.stdout.readline() == b"in\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._first.terminate()
        self._first.communicate()

    def join(self) -> float:
        """Return the seconds of a launch that joins it."""
        return self._stage.clock(*LAUNCH, times=2)[0]

    def pipe(self, *within: str) -> float:
        """Return the seconds that a gigabyte takes through cat, in the machine or where `within` says."""
        script = f"head -c {_GIGABYTE} /dev/zero | {shlex.join([*within, 'cat'])} | wc -c >/tmp/piped"
        seconds, _ = self._stage.clock("sh", "-c", script)
        assert self._stage.run("cat", "/tmp/piped").stdout == f"{_GIGABYTE}\n"
        return seconds


def first(stage: Stage) -> float:
    """Return the seconds of a launch that makes its machine."""
    stage.forget()
    seconds, _ = stage.clock(*LAUNCH)
    assert stage.count("toy", "--") == stage.count()
    return seconds


def imported(stage: Stage) -> float:
    """Return the seconds that the forerunner's way takes."""
    seconds, _ = stage.clock("sh", "-c", IMPORT)
    done = stage.run("rpm", "--dbpath", "/var/lib/toy/import", "-qa").stdout.split()
    assert len(done) == stage.count()
    stage.sh("rm -rf /var/lib/toy/import")
    return seconds


class Updates:
    """Launches after updates of the host, of 20 packages each, with 10 packages in the overlay."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._version = "1"
        install(stage, CHANGED["1"])
        stage.forget()
        install_script = " ".join([*stage.rpm, "--install", "--nosignature", *(f"/root/{own.file}" for own in OWN)])
        stage.sh(f"cp {' '.join(f'/srv/bench/{own.file}' for own in OWN)} /root")
        stage.run("toy", "--", "sh", "-c", install_script)

    def __call__(self) -> float:
        """Return the seconds of one launch after one update."""
        return self._launches(1)[-1]

    def again(self) -> float:
        """Return the seconds of the second of two launches after one update."""
        return self._launches(2)[-1]

    def _launches(self, count: int) -> list[float]:
        self._version = "2" if self._version == "1" else "1"
        install(self._stage, CHANGED[self._version])
        # The update's own dirty pages are not to be written during the launch.
        self._stage.run("sync", "--file-system", "/usr/lib/sysimage/rpm")
        seconds = [self._stage.clock(*LAUNCH)[0] for _ in range(count)]
        installed = self._stage.run("toy", "--", "rpm", "-qa", "changed-*", "own-*").stdout.split()
        expected = [package.file.removesuffix(".rpm") for package in (*CHANGED[self._version], *OWN)]
        assert sorted(installed) == sorted(expected)
        return seconds


def trigger(stage: Stage) -> float:
    """Return the seconds that the work of one %filetriggerin takes."""
    file = stage.sh("cd /usr/lib/sysimage/rpm-headers; ls editor-*.hdr").strip()
    stage.sh(f"rm /usr/lib/sysimage/rpm-headers/{file}")
    seconds, _ = stage.clock("toy", "dump", "--in-transaction", "/usr/bin/editor")
    stage.run("test", "-e", f"/usr/lib/sysimage/rpm-headers/{file}")
    return seconds


def import_rpm(stage: Stage) -> float:
    """Return the seconds that Python takes with nothing but rpm."""
    return stage.clock("/usr/bin/python3", "-c", "import rpm")[0]


class Upgrades:
    """Transactions of 100 packages on one host."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._version = "1"
        install(stage, MANY["1"])

    def __call__(self) -> float:
        """Return the seconds of one transaction."""
        self._version = "2" if self._version == "1" else "1"
        files = [f"/srv/bench/{package.file}" for package in MANY[self._version]]
        seconds, _ = self._stage.clock(*self._stage.rpm, "--upgrade", "--oldpackage", "--nosignature", *files)
        assert self._stage.run("rpm", "-q", "--qf", "%{VERSION}", "many-99").stdout == self._version
        return seconds


IDLE_PLUGIN = r"""#!/usr/bin/python3 -BPsS
import os
while frames := os.read(0, 65536):
    os.write(1, b"ACK\n\n\0" * frames.count(b"\0"))
    if b"_DISCONNECT" in frames:
        break
"""
"""A commit plugin that does nothing but answer: what libzypp asks of any that is in Python."""


def zypper(stage: Stage, *, plugin: str | None) -> float:
    """Return the seconds that zypper takes for one small package in the overlay.

    `plugin` is the text of the commit plugin that takes the place of toy's; an empty one leaves toy's, None has none.
    """
    place = "/usr/lib/zypp/plugins/commit/toy"
    clock = "/usr/bin/python3 /usr/src/toy/tests/bench/clock.py 1 zypper -n in hello >/root/clock"
    prepare, restore = f"mv {place} /root/plugin; ", f"; mv -f /root/plugin {place}"
    if plugin == "":
        prepare = restore = ""
    elif plugin is not None:
        prepare += f"printf %s {shlex.quote(plugin)} >{place}; chmod 755 {place}; "
    stage.run("toy", "--", "sh", "-ec", f"{prepare}{clock}; rpm -q hello >/root/clocked; zypper -n rm hello{restore}")
    assert stage.run("cat", "/root/clocked").stdout == "hello-1-1.noarch\n"
    return float(stage.run("cat", "/root/clock").stdout.split(",")[0].strip("[ "))


class Dumps:
    """Dumps after one package changed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._version = "1"
        install(stage, [CHANGED["1"][0]])

    def written(self) -> float:
        """Return how many bytes one dump writes, to whatever file."""
        self._version = "2" if self._version == "1" else "1"
        install(self._stage, [CHANGED[self._version][0]], triggers=False)
        # A shell's own count has what its children wrote, see proc_pid_io(5).
        count = "while read -r key value; do [ $key != wchar: ] || echo $value; done </proc/$$/io"
        before, after = map(int, self._stage.run("sh", "-c", f"{count}; toy dump --changed; {count}").stdout.split())
        return after - before - len(f"{before}\n")

    def header(self) -> float:
        """Return the size of the package's header file."""
        files = f"/usr/lib/sysimage/rpm-headers/changed-0-{self._version}-*.hdr"
        (size,) = self._stage.sh(f"stat -c %s {files}").split()
        return int(size)


_FROM_NOTHING = """
import resource, shutil, sys
sys.path.insert(0, "/usr/lib/toy")
from pathlib import Path
from toy.database.merge import Builder
from toy.headers.headerset import HeaderSet
def new():
    path = Path("/var/lib/toy/built")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path
with HeaderSet.open(Path("/")) as headers:
    Builder(new).merge(dict.fromkeys(headers.check().files, headers))
shutil.rmtree(new())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(stage: Stage) -> float:
    """Return the peak memory in MiB of any process of toy's, or of the tools that it calls, in whatever toy does.

    Only an rpmdb that imports everything is left out: its memory is rpm's own affair.
    """
    stage.forget()
    stage.sh("rm -r /usr/lib/sysimage/rpm-headers")
    peaks = [
        stage.clock(*command)[1]
        for command in (
            ("toy", "dump"),
            ("toy", "dump", "--changed"),
            ("toy", "dump"),
            LAUNCH,
            LAUNCH,
        )
    ]
    # From a small shell: what a process was before it became python3 counts as well.
    peaks.append(int(stage.run("sh", "-c", '/usr/bin/python3 -BsSc "$1"; exit $?', "sh", _FROM_NOTHING).stdout))
    install(stage, CHANGED["1"])
    peaks.append(stage.clock(*LAUNCH)[1])
    peaks.append(stage.clock("toy", "--", *stage.rpm, "--erase", "--nodeps", "editor", "library")[1])
    install(stage, CHANGED["2"])
    peaks += [stage.clock(*command)[1] for command in (LAUNCH, ("toy", "status"), ("toy", "diff"))]
    assert stage.count("toy", "--") == stage.count() - 2
    return max(peaks) / 1024
