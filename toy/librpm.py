# SPDX-License-Identifier: GPL-2.0-or-later
"""librpm: the only module that imports it, for all others."""

import site
import sys

if sys.flags.no_site:  # toy does without until here: of all it imports, rpm alone lies in a directory for packages
    site.main()

import rpm as rpm

from .errors import ToyError, typed
from .header import Header

rpm.setVerbosity(rpm.RPMLOG_CRIT)  # what rpm cannot do, we say in one line


def parsed(blob: bytes) -> "rpm.hdr":
    """Return a header as librpm has it. Raises ToyError if rpm cannot read it."""
    try:
        return rpm.hdr(blob)
    except rpm.error as error:
        raise ToyError(f"rpm cannot read a header: {error}", f"to see whose: TOY_DEBUG=1 {typed()}") from error


def to_header(found: "rpm.hdr") -> Header:
    """Return what makes the file name of a header, and its blob."""
    epoch = "" if found["epoch"] is None else f"{found['epoch']}:"
    version = f"{epoch}{found['version']}"
    return Header(found["name"] or "", version, str(found["release"]), found["arch"] or "", found.unload())
