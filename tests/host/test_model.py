# SPDX-License-Identifier: GPL-2.0-or-later
"""Random walks of host and overlay, against a model of who wins.

TOY_STEPS and TOY_SEED say how long and which; seed 0 is a new one each time.
"""

import os
import random
import signal
import subprocess
import time

import pytest
from concerns import Concern, Links, Repositories, Users
from host import Host
from image import RPMS
from model import EDITORS, NAMES, VERSIONS, Model, package
from packages import build
from truth import BOTH, OVERLAY, are_the_same, database

STEPS = int(os.environ.get("TOY_STEPS", "25"))
SEED = int(os.environ.get("TOY_SEED", "1")) or random.SystemRandom().randrange(1, 10**6)

LOOK = """
rpm -qa --qf '%{NAME} %{VERSION}\\n'
echo --
rpm -Va --noconfig --nodeps
echo --
ls /usr/share/pool
for name in a b c d e; do ! [ -e /usr/bin/$name ] || echo $name $($name); done
echo --
grep -l mine /etc/?.conf
echo --
edi
echo --
"""


class Walk:
    """One host, one overlay, one model."""

    def __init__(self, host: Host, rng: random.Random) -> None:
        self.host, self.rng, self.model = host, rng, Model()
        self.concerns: list[Concern] = [kind(rng) for kind in (Users, Repositories, Links)]
        self.files: set[str] = set()
        self.log: list[str] = []
        self.unseen: set[str] = set()
        """Packages that came without triggers, and nothing has looked since. If one goes before anything has, nothing
        tells that its files had replaced another's (toy(8), CAVEATS)."""
        self.unrecorded: set[str] = set()
        self.installed_in: dict[str, int] = {}
        """The second in which each package file was installed last: in another one, rpm makes another header of it."""

    def rpm(self, installed: dict[str, str]) -> tuple[str, str, str | None]:
        """Choose a change: the arguments of rpm, the package, and its version afterwards."""
        known = sorted(set(NAMES) - self.unseen - ({"e"} if "d" in self.unseen else set()))
        if not known:
            return "--version", "", None
        name = self.rng.choice(known)
        triggers = self.rng.choice(["", "--notriggers "])
        if not triggers:
            self.unseen = set()
        if name in installed and self.rng.random() < 0.4:
            return f"{triggers}-e {name}", name, None
        version = self.rng.choice(VERSIONS)
        if triggers:
            self.unseen.add(name)
        options = f"{triggers}-U --oldpackage --replacepkgs --replacefiles --nodeps"
        file = package(name, version).file
        while self.installed_in.get(file) == int(time.time()):
            pass
        self.unrecorded.add(file)
        return f"{options} {RPMS}/{file}", name, version

    def recorded(self) -> None:
        """Note when the packages were installed that `rpm` chose."""
        self.installed_in |= dict.fromkeys(self.unrecorded, int(time.time()))
        self.unrecorded = set()

    def change_host(self) -> None:
        scripts = []
        chance = self.rng.random()
        if chance < 0.1:
            name = self.rng.choice(NAMES)
            scripts.append(f"! [ -e /etc/{name}.conf ] || echo theirs >> /etc/{name}.conf")
        concern = self.rng.choice(self.concerns) if 0.1 <= chance < 0.4 else None
        if chance >= 0.4 or (concern is not None and concern.is_scripts):
            arguments, name, version = self.rpm(self.model.host)
            scripts.append(f"{' '.join(self.host.rpm)} {arguments}")
            self.model.change_host(name, version)
            if not name:
                concern = None  # without a change of packages, nobody looks
        if concern is not None:
            scripts.insert(0, concern.change_host())
        script = "; ".join(scripts)
        self.log.append(f"host: {script}")
        self.host.change(script)
        self.recorded()

    def change_overlay(self) -> None:
        """Enter, change a few things, and leave or be killed."""
        self.enter()
        script = []
        for _ in range(self.rng.randrange(1, 4)):
            arguments, name, version = self.rpm(self.model.overlay)
            script.append(f"{' '.join(self.host.rpm)} {arguments} >&2")
            self.model.change_overlay(name, version)
        if self.rng.random() < 0.3:
            path = f"/usr/share/pool/by-hand-{len(self.files)}"
            self.files.add(path)
            script.append(f"mkdir -p /usr/share/pool; echo mine > {path}")
        if self.rng.random() < 0.3:
            script.append(self.rng.choice(self.concerns).change_overlay())
        if self.model.overlay and self.rng.random() < 0.3:
            name = self.rng.choice(sorted(self.model.overlay))
            script.append(f"chown -h root /usr/bin/{name} /usr/lib/{name} /usr/lib/{name}/* /usr/lib/{name}/*/*")
        if self.model.overlay and self.rng.random() < 0.3:
            name = self.rng.choice(sorted(self.model.overlay))
            self.model.edited.add(name)
            script.append(f"echo mine >> /etc/{name}.conf")
        kill = self.rng.random() < 0.3
        self.log.append(f"overlay{', killed' if kill else ''}: " + "; ".join(script))
        end = "echo done; sleep 1000" if kill else "echo done"
        process = subprocess.Popen(
            self.host.command(*OVERLAY, "sh", "-ec", "; ".join([*script, end])),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n", process.communicate()
        self.recorded()
        if kill:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    def enter(self) -> None:
        """Enter the overlay, apply the rules to the model, and see that all is as it says."""
        self.unseen = set()
        self.log.append("enter")
        self.host.run(*OVERLAY, "true")
        headers = {nevra.split("-")[0]: digest for digest, nevra in database(self.host).items()}
        self.model.launch({name: digest for name, digest in headers.items() if name in NAMES})
        for concern in self.concerns:
            concern.launch()
        look = "\n".join([LOOK, BOTH, *(f"echo --\n({concern.look})" for concern in self.concerns)])
        out = self.host.run(*OVERLAY, "sh", "-c", look, check=False).stdout
        listed, verified, pool, edited, edi, both, *rest = out.split("--\n")
        installed = dict(line.split() for line in listed.splitlines())
        assert {name: version for name, version in installed.items() if name in NAMES} == self.model.overlay
        # In some files another package's have replaced a package's own: rpm says so, and if that one was erased.
        complaints = [line for line in verified.splitlines() if not line.endswith(("(replaced)", "(not installed)"))]
        assert complaints == []
        assert {f"/etc/{name}.conf" for name in self.model.edited} <= set(edited.split())
        assert edi.split() == [self.model.overlay[name] for name in EDITORS if name in self.model.overlay][-1:]
        assert are_the_same(both)
        for concern, found in zip(self.concerns, rest, strict=True):
            concern.check(found)
        assert self.files <= {f"/usr/share/pool/{name}" for name in pool.split()}
        for name, version in self.model.overlay.items():
            assert f"{name} {version}" in pool.splitlines()
        for name in NAMES:
            versions = {entry for entry in pool.split() if entry.startswith(f"{name}-")}
            assert versions == ({f"{name}-{self.model.overlay[name]}"} if name in self.model.overlay else set())


@pytest.mark.everywhere
@pytest.mark.timeout(60 + 10 * STEPS)
def test_random_walk(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"[seed {SEED}, {STEPS} steps] ", end="", flush=True)
    build(host, [package(name, version) for name in NAMES for version in VERSIONS], RPMS)
    walk = Walk(host, random.Random(SEED))
    for step in range(STEPS):
        try:
            walk.rng.choice([walk.change_host, walk.change_host, walk.change_overlay])()
            if walk.rng.random() < 0.5:
                walk.enter()
        except AssertionError as error:
            raise AssertionError(f"seed {SEED}, step {step}:\n" + "\n".join(walk.log)) from error
    walk.enter()
