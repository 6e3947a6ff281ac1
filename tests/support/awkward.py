# SPDX-License-Identifier: GPL-2.0-or-later
"""A database of everything that has broken such tools before: made by rpm itself, from packages made by rpmbuild."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import image
import rpm
from backends import HAS_OPENPGP
from host import Host
from packages import Package, build

NAMES = ("plus+plus", "under_score", "dotted.name", "1digit", "_first", "dash-1-2", "x" * 150)

# rpm's database takes any of these; rpmbuild does not make them.
UNBUILDABLE = (
    "per%cent",
    "bra{ce}",
    "sla/sh",
    "../up",
    "new\nline",
    "-dash",
    ".hidden",
    "spa ce",
    "näme",
    "lat\udce9n",
    "*?[a]",
    "y" * 230,
)

PACKAGES = (
    *(Package(name, files={f"/usr/share/awkward/{number}": name}) for number, name in enumerate(NAMES)),
    Package("epoch", tags=("Epoch: 7",), files={"/usr/share/awkward/epoch": ""}),
    *(Package("multi", version, files={f"/usr/share/awkward/multi-{version}": version}) for version in "12"),
    Package("tilde", "1~rc1^git20260101", "1.2.3", files={"/usr/share/awkward/tilde": ""}),
    Package("empty"),
    Package("outside", files={"/etc/outside": ""}),
)


def make(template: Path, directory: Path) -> Path:
    """Build the packages, let rpm install them and import a key, and return the directory of the database."""
    with Host(directory / "host", like=template) as host:
        build(host, PACKAGES, "/tmp/rpms")
        # rpm takes the names of files for patterns, and from 6 on no two versions of a package at once.
        install = f"{' '.join(host.rpm)} --install --nosignature"
        host.sh(f'cd /tmp/rpms; for file in *; do mv "$file" one; {install} one; rm one; done')
        if HAS_OPENPGP:
            host.write("/tmp/key.asc", (image.CHECKOUT / "tests/support/key.asc").read_text())
            host.run("rpm", "--import", "/tmp/key.asc")
        path = directory / "rpm"
        unbuildable = _renamed(host, UNBUILDABLE)
        shutil.copytree(host.upper / "usr/lib/sysimage/rpm", path)
    # The very same header twice, which only a database put together by hand has.
    again(path, "multi-1-1.noarch")
    import_headers(path, unbuildable)
    return path


def _renamed(host: Host, names: Iterable[str]) -> list[bytes]:
    """Return blobs of headers with these names, made from headers of rpmbuild's: later rpms take no others."""
    raw = [name.encode(errors="surrogateescape") for name in names]
    models = {len(name): Package("q" * len(name)) for name in raw}
    build(host, models.values(), "/srv/models")
    blobs = {size: of_file(host.upper / "srv/models" / model.file) for size, model in models.items()}
    return [blobs[len(name)].replace(b"q" * len(name), name) for name in raw]


def of_file(path: Path) -> bytes:
    """Return the blob of the header in a package file: without what rpm adds when it installs that."""
    transaction_set = rpm.TransactionSet()
    transaction_set.setVSFlags(-1)
    with open(path, "rb") as file:
        blob: bytes = transaction_set.hdrFromFdno(file.fileno()).unload()
    return blob


def import_headers(path: Path, blobs: Iterable[bytes]) -> None:
    """Import headers into a database."""
    content = b"".join(rpm.header_magic + blob for blob in blobs)
    subprocess.run(["rpmdb", "--dbpath", path, "--importdb"], input=content, check=True)


def again(path: Path, nevra: str) -> None:
    """Import a header that a database holds into it once more."""
    import_headers(path, [next(found for found, name in headers(path) if name == nevra)])


def headers(path: Path) -> list[tuple[bytes, str]]:
    """Return blob and NEVRA of every header in a database."""
    rpm.addMacro("_dbpath", str(path))
    try:
        transaction_set = rpm.TransactionSet()
        transaction_set.setVSFlags(-1)
        return [(found.unload(), found["nevra"]) for found in transaction_set.dbMatch()]
    finally:
        rpm.delMacro("_dbpath")


def blobs(path: Path) -> Counter[bytes]:
    """Return the headers of a database: each blob, and how often it is there."""
    return Counter(blob for blob, _ in headers(path))
