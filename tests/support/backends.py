# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rpm that the tests run with can do: which kinds of databases it makes, and whether it knows keys."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
import rpm

FILES = {"sqlite": "rpmdb.sqlite", "ndb": "Packages.db"}
"""A file that a database of each backend has."""


def _can_make(backend: str) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        command = ["rpm", "--define", f"_db_backend {backend}", "--dbpath", directory, "--initdb"]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        return (Path(directory) / FILES[backend]).exists()


FILE = FILES[rpm.expandMacro("%{_db_backend}")]
"""That of the backend that this rpm uses by default."""

BACKENDS = [backend for backend in FILES if _can_make(backend)]


def _is_zyppers() -> bool:
    """Say whether zypper uses the same librpm as this process."""
    linked = subprocess.run(["ldd", "/usr/bin/zypper"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"librpm\.so\S* => (\S+)", linked)
    return found is not None and f" {os.path.realpath(found[1])}\n" in Path("/proc/self/maps").read_text()


ZYPPERS = BACKENDS if _is_zyppers() else [rpm.expandMacro("%{_db_backend}")]
"""The backends for hosts whose database zypper has to read."""


KEY = os.fspath(Path(__file__).parent / "key.asc")


def _has_openpgp() -> bool:
    with tempfile.TemporaryDirectory() as directory:
        command = ["rpm", "--dbpath", directory, "--import", KEY]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


HAS_OPENPGP = _has_openpgp()
"""Whether this rpm was built with OpenPGP: without, it imports no key."""

needs_openpgp = pytest.mark.skipif(
    not HAS_OPENPGP, reason="this rpm was built without OpenPGP, as the report's header says"
)


def _keeps_keys_in(keyring: str) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        command = ["rpm", "--dbpath", directory, "--define", f"_keyring {keyring}", "--import", KEY]
        said = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False).stderr
    return "unknown keyring type" not in said


KEYRINGS = [keyring for keyring in ("rpmdb", "fs", "openpgp") if _keeps_keys_in(keyring)]
"""The places for keys that this rpm knows (rpm, docs/man/rpm-config.5)."""

KEYS_ARE_PACKAGES = HAS_OPENPGP and rpm.expandMacro("%{?_keyring}") in ("", "rpmdb")
"""Whether this rpm keeps keys as packages; later ones keep them in files of their own (rpm, docs/man/rpmkeys.8)."""
