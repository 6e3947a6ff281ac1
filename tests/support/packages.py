# SPDX-License-Identifier: GPL-2.0-or-later
"""Real packages, made by rpmbuild from a few words."""

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from host import Host


@dataclasses.dataclass(frozen=True)
class Package:
    """What a package holds; `files` maps paths to contents, `links` to targets."""

    name: str
    version: str = "1"
    release: str = "1"
    arch: str = "noarch"
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ghost_links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Links that are built and not installed."""
    directories: tuple[str, ...] = ()
    directory_mode: str = "755"
    owner: str = "root"
    config: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """More lines of the preamble, such as "Requires: sh"."""
    scripts: str = ""
    """More sections, such as %posttrans."""

    @property
    def file(self) -> str:
        """The name of the built file."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

    @property
    def spec(self) -> str:
        """The spec file."""
        lines = [f"Name: {self.name}", f"Version: {self.version}", f"Release: {self.release}"]
        lines += ["Summary: A package for toy's tests", "License: GPL-2.0-or-later", *self.tags]
        lines += ["BuildArch: noarch"] if self.arch == "noarch" else []
        lines += ["%description", "None.", "%install", "mkdir -p %{buildroot}"]
        for path, content in self.files.items():
            lines += [
                f"mkdir -p %{{buildroot}}{Path(path).parent}",
                f"cat > %{{buildroot}}{path} <<'END'",
                content,
                "END",
            ]
            lines += [f"chmod {'755' if '/bin/' in path else '644'} %{{buildroot}}{path}"]
        for path, target in {**self.links, **self.ghost_links}.items():
            lines += [f"mkdir -p %{{buildroot}}{Path(path).parent}", f"ln -s {target} %{{buildroot}}{path}"]
        lines += [f"mkdir -p %{{buildroot}}{path}" for path in self.directories]
        lines += ["find %{buildroot} -exec touch --no-dereference --date=@0 {} +"]  # as reproducible builds do
        lines += ["%files", f"%defattr(-,{self.owner},root)"]
        lines += [f"%config(noreplace) {path}" if path in self.config else path for path in (*self.files, *self.links)]
        lines += [f"%ghost {path}" for path in self.ghost_links]
        lines += [f"%attr({self.directory_mode},root,root) %dir {path}" for path in self.directories]
        return "\n".join([*lines, textwrap.dedent(self.scripts), ""])


def build(host: Host, packages: Iterable[Package], output: str) -> None:
    """Build packages in the host into the directory `output` there, those that are not there yet."""
    missing = [
        package
        for package in packages
        if host.run("test", "-e", f"{output}/{package.file}", check=False).returncode != 0
    ]
    specs = {f"/tmp/build/{number}.spec": package.spec for number, package in enumerate(missing)}
    for path, spec in specs.items():
        host.write(path, spec)
    if specs:
        host.run(
            "rpmbuild", "-bb", "--quiet", "--define", "_topdir /tmp/build/top", "--define", f"_rpmdir {output}",
            "--define", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm", *specs,
        )  # fmt: skip
