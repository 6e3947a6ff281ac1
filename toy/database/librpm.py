# SPDX-License-Identifier: GPL-2.0-or-later
"""The only module that imports rpm's Python module; all others get it from here."""

import site
import sys

if sys.flags.no_site:  # toy runs without site until here: of all that it imports, only rpm lies in site-packages
    site.main()

from ..errors import ToyError, moved_away, typed
from ..headers.header import Header

try:
    import rpm as rpm
except ImportError as error:  # also where librpm does not find its configuration, of which it says more by itself
    raise ToyError(
        f"rpm's Python module cannot be used: {error}", f"install python3-rpm, or see: {sys.executable} -c 'import rpm'"
    ) from error

rpm.setVerbosity(rpm.RPMLOG_CRIT)  # what rpm cannot do, we say in one line


def parsed(blob: bytes, file: str = "") -> "rpm.hdr":
    """Return a blob as librpm's header object. Raises ToyError, naming the header file, if rpm cannot read it."""
    try:
        return rpm.hdr(blob)
    except rpm.error as error:
        raise unreadable(file, error) from error


def unreadable(file: str, why: Exception) -> ToyError:
    """Return the error for a header; `file` is its header file's path or, from a database, name, or "" if not known."""
    next_step = moved_away(file, out_of_set=True) if "/" in file else f"to see where: TOY_DEBUG=1 {typed()}"
    return ToyError(f"rpm cannot read {f'header file {file}' if file else 'a header'}: {why}", next_step)


def to_header(found: "rpm.hdr") -> Header:
    """Return the `Header` of a header object of librpm's."""
    epoch = "" if found["epoch"] is None else f"{found['epoch']}:"
    version = f"{epoch}{found['version']}"
    return Header(found["name"] or "", version, str(found["release"]), found["arch"] or "", found.unload())
