# SPDX-License-Identifier: GPL-2.0-or-later
"""Random walks of host and overlay, against a model of who wins.

TOY_STEPS and TOY_SEED say how long and which; seed 0 is a new one each time.
"""

import os
import random
import signal
import subprocess
from dataclasses import dataclass, field

import pytest
from host import Host
from image import RPMS
from packages import Package, build
from truth import OVERLAY, database, is_current

STEPS = int(os.environ.get("TOY_STEPS", "25"))
SEED = int(os.environ.get("TOY_SEED", "1")) or random.SystemRandom().randrange(1, 10**6)

NAMES, VERSIONS = "abcde", "1234"

LOOK = """
rpm -qa --qf '%{NAME} %{VERSION}\\n'
echo --
rpm -Va --noconfig --nodeps
echo --
ls /usr/share/pool
for name in a b c d e; do ! [ -e /usr/bin/$name ] || echo $name $($name); done
echo --
grep -l mine /etc/?.conf
getent passwd | cut -d: -f1
"""


def package(name: str, version: str) -> Package:
    """A package that shares a directory and a file with others, and has others, a link and a program of its own.

    One file moves between a and b, c turns a directory into a link and back, and e obsoletes d.
    """
    own, even = f"/usr/lib/{name}", int(version) % 2 == 0
    more, links = {}, {f"{own}/link": "even" if even else "odd"}
    scripts = ""
    if name == ("b" if even else "a"):
        more["/usr/share/pool/moved"] = f"{name} {version}"
    if name == "c":
        more[f"{own}/elsewhere/even" if even else f"{own}/turns/odd"] = version
        if even:
            links[f"{own}/turns"] = "elsewhere"
        scripts = f"%pretrans\nrm -rf {own}/turns\n"  # rpm does not do that by itself
    return Package(
        name,
        version,
        files={
            f"/usr/bin/{name}": f"#!/bin/sh\necho {version}",
            f"/usr/share/pool/{name}-{version}": version,
            f"{own}/even/file" if even else f"{own}/odd/file": version,
            "/usr/share/pool/common": "the same in all",
            f"/etc/{name}.conf": f"version={version}",
            f"/var/lib/{name}/data": version,
            **more,
        },
        links=links,
        directories=("/usr/share/pool", own, f"/var/lib/{name}"),
        config=(f"/etc/{name}.conf",),
        tags=("Obsoletes: d",) if name == "e" else (),
        scripts=scripts,
    )


@dataclass
class Model:
    """What should be the case. Versions by package name; a header's digest stands for one installation."""

    base: dict[str, str] = field(default_factory=dict)
    """The host's headers at the last launch, by package name."""
    host: dict[str, str] = field(default_factory=dict)
    overlay: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    """Those of the overlay that it installed itself."""
    removed: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    """Packages whose configuration somebody edited in the overlay."""

    def change_host(self, name: str, version: str | None) -> None:
        """A package came to the host, or went."""
        if version is None:
            self.host.pop(name, None)
        else:
            self.host[name] = version
            if name == "e":
                self.change_host("d", None)

    def change_overlay(self, name: str, version: str | None) -> None:
        """A package came to the overlay, or went."""
        if version is None:
            self.own.discard(name)
            if name in self.overlay:
                self.edited.discard(name)
                if name in self.base:
                    self.removed.add(name)
            self.overlay.pop(name, None)
        else:
            self.removed.discard(name)
            self.own.add(name)
            self.overlay[name] = version
            if name == "e":
                self.change_overlay("d", None)

    def launch(self, headers: dict[str, str]) -> None:
        """Apply the rules; `headers` are the host's now."""
        before = set(self.overlay)
        has_lost_d = "d" in self.removed and "d" in self.base and "d" not in headers
        came = {name for name in NAMES if headers.get(name) not in (None, self.base.get(name))}
        for name in NAMES:
            if headers.get(name) == self.base.get(name):
                continue
            theirs, ours = self.host.get(name), self.overlay.get(name)
            if name in self.own and (theirs is None or (ours is not None and ours > theirs)):
                continue
            self.own.discard(name)
            if theirs is None:
                self.removed.discard(name)
                self.overlay.pop(name, None)
            elif name not in self.removed:
                self.overlay[name] = theirs
        if "e" in came and "e" in self.overlay and "e" not in self.own:
            if "d" in self.own:
                self.own.discard("d")
                self.overlay.pop("d", None)
            elif has_lost_d and not before & {"d", "e"}:  # by another name, it is what the overlay removed
                self.removed.add("e")
                del self.overlay["e"]
        if "d" in came and "e" in self.own and not before & {"d"} and "d" not in self.own:
            self.removed.add("d")
            self.overlay.pop("d", None)
        self.base = headers


class Walk:
    """One host, one overlay, one model."""

    def __init__(self, host: Host, rng: random.Random) -> None:
        self.host, self.rng, self.model = host, rng, Model()
        self.files: set[str] = set()
        self.users: set[str] = set()
        self.log: list[str] = []
        self.unseen: set[str] = set()
        """Packages that came without triggers, and nothing has looked since. If one goes before anything has, nothing
        tells that its files had replaced another's (toy(8), CAVEATS)."""

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
        return f"{options} {RPMS}/{package(name, version).file}", name, version

    def change_host(self) -> None:
        if self.rng.random() < 0.2:
            name = self.rng.choice(NAMES)
            script = f"! [ -e /etc/{name}.conf ] || echo theirs >> /etc/{name}.conf; {self.user()}"
        else:
            arguments, name, version = self.rpm(self.model.host)
            script = f"{' '.join(self.host.rpm)} {arguments}"
            self.model.change_host(name, version)
        self.log.append(f"host: {script}")
        self.host.change(script)

    def user(self) -> str:
        """Choose a new user; returns the command."""
        name = f"user{len(self.users)}"
        self.users.add(name)
        return f"useradd --uid {5000 + len(self.users)} {name}"

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
            script.append(self.user())
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
        if kill:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    def enter(self) -> None:
        """Enter the overlay, apply the rules to the model, and see that all is as it says."""
        self.unseen = set()
        self.host.run(*OVERLAY, "true")
        headers = {nevra.split("-")[0]: digest for digest, nevra in database(self.host).items()}
        self.model.launch({name: digest for name, digest in headers.items() if name in NAMES})
        out = self.host.run(*OVERLAY, "sh", "-c", LOOK, check=False).stdout
        listed, verified, pool, rest = out.split("--\n")
        installed = dict(line.split() for line in listed.splitlines())
        assert {name: version for name, version in installed.items() if name in NAMES} == self.model.overlay
        # In some files another package's have replaced a package's own: rpm says so, and if that one was erased.
        complaints = [line for line in verified.splitlines() if not line.endswith(("(replaced)", "(not installed)"))]
        assert complaints == []
        assert self.users | {f"/etc/{name}.conf" for name in self.model.edited} <= set(rest.split())
        assert self.files <= {f"/usr/share/pool/{name}" for name in pool.split()}
        for name, version in self.model.overlay.items():
            assert f"{name} {version}" in pool.splitlines()
        for name in NAMES:
            versions = {entry for entry in pool.split() if entry.startswith(f"{name}-")}
            assert versions == ({f"{name}-{self.model.overlay[name]}"} if name in self.model.overlay else set())
        assert is_current(self.host, *OVERLAY)


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
