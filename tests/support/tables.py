# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of the tables of hosts and overlays: packages, their files, and what an upper has; see `world`."""

import hashlib
import stat

from toy.headers.header import HeaderFile
from toy.headers.package import Package, PackageFile, Trigger

WHITEOUT, OPAQUE, DIRECTORY, FILE, COPY = "whiteout", "opaque", "directory", "file", "copy"
"""What an upper may have at a path; a file there is never what the lower has, a copy is what it had before."""


def file(label: str) -> HeaderFile:
    """Return the name of the header file of NAME-VERSION; after a slash follows what tells two builds apart."""
    name, _, version = label.partition("/")[0].rpartition("-")
    return HeaderFile(f"{name}-{version}-1.noarch.{hashlib.sha256(label.encode()).hexdigest()}.hdr")


def package_file(path: str, content: str = "") -> PackageFile:
    """Return a file of a package.

    A path that ends with a slash is a directory's; after an equals sign follows the file's content, after an arrow a
    link's target. With a question mark at the end, any of them is a %ghost.
    """
    if path.endswith("?"):
        owned = package_file(path.rstrip("?"))
        return owned._replace(is_ghost=True, digest=owned.digest if "=" in path else "")
    if path.endswith("/"):
        return PackageFile(path.rstrip("/"), stat.S_IFDIR | 0o755, "", "", False, "root:root")
    path, arrow, target = path.partition("->")
    if arrow:
        return PackageFile(path, stat.S_IFLNK | 0o777, "", target, False, "root:root")
    path, _, own = path.partition("=")
    return PackageFile(path, stat.S_IFREG | 0o644, f"sha256:{own or content or 'content'}", "", False, "root:root")


def package(label: str, *paths: str) -> Package:
    """Return the package NAME-VERSION with these files."""
    name, _, version = label.partition("/")[0].rpartition("-")
    files = tuple(map(package_file, paths))
    return Package(name, "noarch", ("0", version, "1"), frozenset([name]), (), files, frozenset(), label, ())


def trigger(kind: str, *names: str, priority: int = 0, program: str = "/bin/sh") -> Trigger:
    """Return a trigger of this kind, for packages of these names or paths that begin so."""
    return Trigger(kind, tuple((name, 0, "") for name in names), priority, program, "")
