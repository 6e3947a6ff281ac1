# SPDX-License-Identifier: GPL-2.0-or-later
"""Does harm to toy at one step after another, and judges what the next launches make of it.

Each try begins with the same state of host and machine. It is judged by a launch in which rpm is asked what is
installed, by one more that has to be silent, and by what lies on disk, all held against a run that nobody disturbed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import stepper
from host import ENVIRONMENT, Host
from scenarios import Scenario
from stepper import Order, Report, Step
from trees import Tree, changed, parts, walk
from truth import BOTH, HEADER_SET, OVERLAY, are_the_same

LOOK = f"""
rpm -qa --qf '%{{NAME}}-%{{VERSION}}-%{{RELEASE}}.%{{ARCH}}\\n' | sort
echo --
rpm -Va | sort
echo --
{BOTH}
"""

_MARK = "TOY_TORTURED"

_DIGEST = re.compile(r"\.[0-9a-f]{64}(?=\.hdr)")
_TIMES = re.compile(r"^\S+ ", re.MULTILINE)
_OF_HARM = ("broken: ", "stale: ", "followed: ")
"""How events begin that the harm itself may be the reason for."""

_MORE = re.compile(r"toy: and \d+ more events; see: ")
_ERROR = re.compile(r"toy: .*/.*; ")


@dataclass(frozen=True)
class Found:
    """What there is after a run and the launches that follow it, and what was said."""

    packages: frozenset[str]
    verified: frozenset[str]
    tree: Tree
    logged: frozenset[str]
    told: frozenset[str]
    """The lines of toy."""


@dataclass
class Outcome:
    """What became of one try."""

    step: Step | None = None
    """Where harm was done, or None if there was no such step."""
    wrong: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    """The parts of the state that were half done: neither as before nor as they are in the end."""


class Torture:
    """One scenario on one host."""

    def __init__(self, host: Host, scenario: Scenario, directory: Path) -> None:
        self.host, self.scenario = host, scenario
        scenario.prepare(host)
        self._command = scenario.command(host)
        self._saved = directory / "saved"
        subprocess.run(["cp", "-a", host.toy, self._saved], check=True)
        host.sh(f"cp -a /{HEADER_SET} /srv/set; ls -A /var/lib/machines > /srv/machines || :")
        self.restore()
        self._begin = self._tree()
        self._untouched, self._mounts = self._files_of_host(), self._mounts_of_host()
        runs: list[tuple[Report, Found]] = []
        for _ in range(2):
            self.restore()
            said, report = self._run(Order([], {}))
            wrong: list[str] = []
            found = self._judged(said, wrong)
            assert found is not None and not wrong and not report.left, (said, wrong, report.left)
            runs.append((report, found))
        (report, self._reference), (_, other) = runs
        self._steps = report.steps
        self._volatile = changed(self._reference.tree, other.tree)

    def steps(self, fault: str, whose: str) -> list[Step]:
        """Return the steps of a run that nobody disturbs at which a fault can be tried."""
        fails = fault in (stepper.ENOSPC, stepper.EIO)
        return [step for step in self._steps if step.whose == whose and (step.can_fail or not fails)]

    def attempt(self, fault: str, whose: str, number: int) -> Outcome:
        """Do harm at one step, and judge what follows."""
        self.restore()
        said, report = self._run(Order([], {}, fault=fault, whose=whose, number=number))
        if not report.struck:
            return Outcome()
        tree = self._tree()
        outcome = Outcome(
            report.steps[-1], mended=sorted(parts(self._differing(tree)) & parts(changed(tree, self._begin)))
        )
        if report.left:
            outcome.wrong.append(f"hangs: {', '.join(report.left)}")
        if report.status == 125 and fault in (stepper.ENOSPC, stepper.EIO):
            *_, last = said.splitlines() or [""]
            if not _ERROR.match(last):
                outcome.wrong.append(f"names no path: {last}")
        found = self._judged(said, outcome.wrong)
        if found is not None:
            outcome.wrong += self._compared(found)
        return outcome

    def restore(self) -> None:
        """Bring host and machine back to where the scenario begins."""
        for path in self.host.toy.iterdir():
            shutil.rmtree(path)
        subprocess.run(["cp", "-a", f"{self._saved}/.", self.host.toy], check=True)
        script = "rm -rf /run/toy /tmp/nspawn-root-*; "
        if self.scenario.is_dump:
            script += f"rm -rf /{HEADER_SET}; cp -a /srv/set /{HEADER_SET}; "
        self.host.sh(script)

    def _run(self, order: Order) -> tuple[str, Report]:
        """Run the scenario's command step by step, and return what it printed and the report."""
        order.command = self.host.command(*self._command)
        order.environment = {**ENVIRONMENT, _MARK: str(self.host.root)}
        order.root = str(self.host.root)
        order.skip, order.after = 3, self.scenario.after  # nsenter, chroot, toy
        done = subprocess.run(
            [sys.executable, stepper.__file__], input=json.dumps(asdict(order)), capture_output=True, text=True
        )
        report = Report(**json.loads(done.stdout))
        report.steps = [Step(*step) for step in report.steps]
        return done.stderr, report

    def _judged(self, said: str, wrong: list[str]) -> Found | None:
        """Launch twice, and return what is found; what is wrong whatever was disturbed is added to `wrong`."""
        env = {_MARK: str(self.host.root)}
        if "Traceback" in said:
            wrong.append("traceback: " + said.strip().rpartition("\n")[2])
        dump = self.host.run("toy", "dump", check=False, env=env) if self.scenario.is_dump else None
        where = () if self.scenario.is_dump else OVERLAY
        look = self.host.run(*where, "sh", "-c", LOOK, check=False, env=env)
        if dump is not None:
            look.stderr += dump.stderr
            look.returncode |= dump.returncode
        if look.returncode or look.stdout.count("--\n") != 2:
            wrong.append(f"next launch: status {look.returncode}: {look.stderr.strip()}")
            return None
        last = self.host.run(*(("toy", "dump") if self.scenario.is_dump else (*OVERLAY, "true")), check=False, env=env)
        if last.returncode or last.stdout or last.stderr:
            wrong.append(f"launch after that: status {last.returncode}: {last.stderr.strip()}")
        if "Traceback" in look.stderr:
            wrong.append("traceback in next launch: " + look.stderr.strip().rpartition("\n")[2])
        packages, verified, both = look.stdout.split("--\n")
        if not are_the_same(both):
            wrong.append("header set and database differ")
        if left := _marked(str(self.host.root)):
            wrong.append(f"processes left: {left}")
        if (mounts := self._mounts_of_host()) != self._mounts:
            wrong.append(f"mounts of the host: {sorted(mounts ^ self._mounts)}")
        if touched := self._files_of_host().items() ^ self._untouched.items():
            wrong.append(f"host was written to: {sorted(dict(touched))[:5]}")
        log = self.host.toy / "toy/log"
        logged = _TIMES.sub("", log.read_text()).splitlines() if log.exists() else []
        told = [line for line in f"{said}{look.stderr}".splitlines() if line.startswith("toy: ")]
        return Found(
            packages=frozenset(packages.split()),
            verified=frozenset(verified.splitlines()),
            tree=self._tree(),
            logged=frozenset(logged),
            told=frozenset(told),
        )

    def _compared(self, found: Found) -> list[str]:
        """Return what differs from an undisturbed run."""
        wrong, then = [], self._reference
        if self.scenario.may_lack:
            names, there = ({each.rsplit("-", 2)[0] for each in one} for one in (then.packages, found.packages))
            if gone := names - there - set(self.scenario.may_lack):
                wrong.append(f"packages lost: {sorted(gone)}")
            same = self._begin.items() & then.tree.items()
            if changed := {path for path, about in same if found.tree.get(path) != about}:
                wrong.append(f"{len(changed)} paths changed: {sorted(changed)[:4]}")
            return wrong
        if found.packages != then.packages:
            wrong.append(f"packages: {_changes(then.packages, found.packages)}")
        if found.verified != then.verified:
            wrong.append(f"rpm -Va: {_changes(then.verified, found.verified)}")
        if paths := self._differing(found.tree):
            shown = [f"{path} {then.tree.get(path)} -> {found.tree.get(path)}" for path in sorted(paths)[:4]]
            wrong.append(f"{len(paths)} paths differ: {'; '.join(shown)}")
        if lost := then.logged - found.logged:
            wrong.append(f"not in the log: {sorted(lost)}")
        if more := {event for event in found.logged - then.logged if not event.startswith(_OF_HARM)}:
            wrong.append(f"said without reason: {sorted(more)}")
        # What a launch has no room for is in the log, as it says.
        in_log = {f"toy: {event}" for event in found.logged} if any(map(_MORE.match, found.told)) else set()
        if lost := then.told - found.told - in_log:
            wrong.append(f"not told: {sorted(lost)}")
        return wrong

    def _differing(self, tree: Tree) -> set[str]:
        return changed(tree, self._reference.tree) - self._volatile

    def _tree(self) -> Tree:
        """Return the header set of a host that was dumped, or what lies in the machine's directory."""
        if self.scenario.is_dump:
            names = self.host.sh(f"ls -A /{HEADER_SET}").split()
            return dict.fromkeys(names, "")
        tree: Tree = {}
        walk(self.host.toy / "toy", "", tree)
        if self.scenario.installs:
            tree = {_DIGEST.sub("", path): "" if path.endswith(".hdr") else about for path, about in tree.items()}
        return tree

    def _files_of_host(self) -> Tree:
        tree: Tree = {}
        upper = os.fspath(self.host.upper)
        for folder, folders, files in os.walk(upper):
            inside = folder.removeprefix(upper).lstrip("/")
            folders[:] = [name for name in folders if f"{inside}/{name}" not in _OF_TOY]
            for name in files:
                if not name.startswith(("rpmdb.sqlite-", ".rpm.lock", ".stamp")):
                    status = os.lstat(f"{folder}/{name}")
                    tree[f"{inside}/{name}"] = f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns}"
        if self.scenario.is_dump:
            tree = {path: about for path, about in tree.items() if not path.startswith(f"{HEADER_SET}/")}
        return tree

    def _mounts_of_host(self) -> frozenset[str]:
        return frozenset(self.host.sh("cut -d' ' -f5 /proc/self/mountinfo").splitlines())


_OF_TOY = ("var/lib/machines", "usr/src/toy", "srv/set")


def _changes(then: frozenset[str], now: frozenset[str]) -> list[str]:
    return sorted([f"-{each}" for each in then - now] + [f"+{each}" for each in now - then])


def _marked(mark: str) -> list[str]:
    """Return the processes that were started by a run on this host."""
    found, wanted = [], f"{_MARK}={mark}".encode()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            pass
    return found
