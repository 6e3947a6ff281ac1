# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of a random walk, and a model of who wins. It knows nothing of toy's code."""

from dataclasses import dataclass, field

from packages import Package

NAMES, VERSIONS = "abcde", "1234"
EDITORS = "bde"
"""Packages with an alternative of one name; the last one has the highest priority."""

_TOOL = "update-alternatives --quiet --admindir /var/lib/alternatives"


def package(name: str, version: str) -> Package:
    """A package that shares a directory and a file with others, and has others, a link and a program of its own.

    One file moves between a and b, c turns a directory into a link and back, e obsoletes d, and three have an
    alternative.
    """
    own, even = f"/usr/lib/{name}", int(version) % 2 == 0
    more, links = {}, {f"{own}/link": "even" if even else "odd"}
    scripts = ""
    if name in EDITORS:
        scripts = (
            f"%post\n{_TOOL} --install /usr/bin/edi edi /usr/bin/{name} {EDITORS.index(name)}\n"
            f'%preun\n[ "$1" -gt 0 ] || {_TOOL} --remove edi /usr/bin/{name}\n'
        )
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
                if "d" in self.host:
                    self.overlay["d"] = self.host["d"]
            elif has_lost_d and not before & {"d", "e"}:  # by another name, it is what the overlay removed
                self.removed.add("e")
                del self.overlay["e"]
        if "d" in came and "e" in self.own and not before & {"d"} and "d" not in self.own:
            self.removed.add("d")
            self.overlay.pop("d", None)
        self.base = headers
