# SPDX-License-Identifier: GPL-2.0-or-later
"""What a random walk changes beside packages: users, repositories, locks, and directories that become links.

Each has a model of its own, and knows nothing of toy's code.
"""

import configparser
import random
from typing import Protocol


class Concern(Protocol):
    """One kind of thing that both sides change."""

    look: str
    """A shell script that prints, in the overlay, what `check` wants to see."""
    is_scripts: bool
    """Whether only a package's script does such a thing on a host."""

    def change_host(self) -> str:
        """Choose a change of the host, and return the shell script."""

    def change_overlay(self) -> str:
        """Choose a change of the overlay, and return the shell script."""

    def launch(self) -> None:
        """Apply what toy should do: the overlay follows the host as it is now."""

    def check(self, out: str) -> None:
        """See that the overlay is as it should be."""


class Users:
    """Users that one side or both make, with a number that is free there, and a file of each in the overlay.

    Some are users of both, with one name, and some get another number on the host. Each must have its files whatever
    numbers it gets.
    """

    is_scripts = False
    look = """
        stat -c '%n %U %G' /usr/lib/of/* /var/lib/of/* 2> /dev/null
        getent passwd | cut -d: -f1
        cut -d: -f3 /etc/passwd | sort | uniq -d; cut -d: -f3 /etc/group | sort | uniq -d
        pwck -rq; grpck -r
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.host: set[str] = set()
        self.overlay: set[str] = set()
        self.files: dict[str, str] = {}
        """The name of the owner, by path."""

    def _new(self, side: set[str], more: str) -> str:
        everybody = self.host | self.overlay
        name = self.rng.choice(["new", *sorted(everybody - side)])
        if name == "new":
            name = f"user{len(everybody)}"
        side.add(name)
        paths = [f"{folder}/{name}{more}" for folder in ("/usr/lib/of", *([] if more else ["/var/lib/of"]))]
        self.files |= dict.fromkeys(paths, name)
        system = self.rng.choice(["", "--system "])
        return f"useradd {system}{name}; mkdir -p /usr/lib/of /var/lib/of; install -o {name} -g {name} /dev/null " + (
            f"; install -o {name} -g {name} /dev/null ".join(paths)
        )

    def change_host(self) -> str:
        if not self.host or self.rng.random() < 0.7:
            return self._new(self.host, "-on-host")
        name = self.rng.choice(sorted(self.host))
        return (
            "useradd --system spare; user=$(id -u spare) group=$(id -g spare); userdel spare;"
            f" usermod -u $user {name}; groupmod -g $group {name}; chown {name}:{name} /usr/lib/of/{name}-on-host"
        )

    def change_overlay(self) -> str:
        return self._new(self.overlay, "")

    def launch(self) -> None:
        self.overlay |= self.host

    def check(self, out: str) -> None:
        lines = out.splitlines()
        assert {f"{path} {name} {name}" for path, name in self.files.items()} <= set(lines)
        names = [line for line in lines if " " not in line and not line.startswith("/")]
        assert sorted(name for name in names if name.startswith("user")) == sorted(self.overlay)
        assert not [line for line in names if line.isdecimal()]


class Repositories:
    """Keys of two repositories in one file, and locks: both sides' changes meet key by key."""

    is_scripts = False
    path, locks = "/etc/zypp/repos.d/walk.repo", "/etc/zypp/locks"
    look = f"cat {path} 2> /dev/null; echo ==; cat {locks} 2> /dev/null"

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        # By section, or "locks", and key: the value.
        self.base: dict[tuple[str, str], str] = {}
        self.host: dict[tuple[str, str], str] = {}
        self.overlay: dict[tuple[str, str], str] = {}

    def _change(self, side: dict[tuple[str, str], str]) -> str:
        if self.rng.random() < 0.3:
            where = "locks", self.rng.choice("xyz")
        else:
            where = self.rng.choice(("one", "two")), self.rng.choice(("enabled", "priority", "autorefresh"))
        value = "" if where[0] == "locks" else self.rng.choice("0123")
        if side.get(where) == value or (where in side and self.rng.random() < 0.3):
            del side[where]
        else:
            side[where] = value
        return self._written(side)

    def _written(self, side: dict[tuple[str, str], str]) -> str:
        lines = []
        for name in ("one", "two"):
            lines += [f"[{name}]", "baseurl=dir:///srv/none"]
            lines += [f"{key}={value}" for (section, key), value in sorted(side.items()) if section == name]
        kept = [key for section, key in sorted(side) if section == "locks"]
        locks = "".join(f"\\ntype: package\\nmatch_type: glob\\nsolvable_name: {key}\\n" for key in kept)
        return f"printf '%s\\n' {' '.join(map(repr, lines))} > {self.path}; printf '{locks}' > {self.locks}"

    def change_host(self) -> str:
        return self._change(self.host)

    def change_overlay(self) -> str:
        return self._change(self.overlay)

    def launch(self) -> None:
        for where in {*self.base, *self.host, *self.overlay}:
            if self.overlay.get(where) == self.base.get(where):
                if where in self.host:
                    self.overlay[where] = self.host[where]
                else:
                    self.overlay.pop(where, None)
        self.base = dict(self.host)

    def check(self, out: str) -> None:
        repositories, locks = out.split("==\n")
        parser = configparser.RawConfigParser()
        parser.read_string(repositories)
        found = {(name, key): value for name in parser.sections() for key, value in parser.items(name)}
        found |= {("locks", line.split()[-1]): "" for line in locks.splitlines() if line.startswith("solvable_name")}
        assert {where: value for where, value in found.items() if where[1] != "baseurl"} == self.overlay


class Links:
    """A directory that a package's script on the host turns into a link to another, and back. Both sides have files."""

    is_scripts = True
    look = "cd /usr/lib/turn && ls . ../turned 2> /dev/null"

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.is_link = False
        self.host: set[str] = set()
        self.overlay: dict[str, bool] = {}
        """By the name of a file, whether there was a link when it was made."""

    def change_host(self) -> str:
        make = "mkdir -p /usr/lib; cd /usr/lib; [ -e turn ] || mkdir turn"
        if self.rng.random() < 0.3:
            name = f"host-{len(self.host)}"
            self.host.add(name)
            return f"{make}; touch turn/{name}"
        self.is_link = not self.is_link
        if self.is_link:
            return f"{make}; mkdir -p turned; cp -a turn/. turned/; rm -r turn; ln -s turned turn"
        return "cd /usr/lib; rm turn; mkdir turn; cp -a turned/. turn/; rm -r turned"

    def change_overlay(self) -> str:
        name = f"own-{len(self.overlay)}"
        self.overlay[name] = self.is_link
        return f"mkdir -p /usr/lib/turn; touch /usr/lib/turn/{name}"

    def launch(self) -> None:
        pass

    def check(self, out: str) -> None:
        here, _, _ = out.partition("../turned:\n")
        assert self.host <= set(here.split())
        assert {name for name, was_link in self.overlay.items() if self.is_link or not was_link} <= set(here.split())
        assert self.overlay.keys() <= set(out.split())
