# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits a reconciliation: puts a machine's new database in place, with the base, keys and /var that go with it."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..database import connection, keyring, parse, rpmdb
from ..errors import UnusableDatabase
from ..events import Event
from ..following import seeded, var
from ..headers import header
from ..headers.changes import UpperSet
from ..headers.contents import Content
from ..headers.header import HeaderFile
from . import alternatives, made_in_var, var_before
from .parts import Parts


def commit(
    parts: Parts, upper: UpperSet, so_far: Sequence[Event], *, before: Content | None, made: Content | None
) -> list[Event]:
    """Put a new database in place, or keep the old one if none was made, with all that goes with it.

    `before` and `made` are the contents of the old and the new database, None if there is none. `upper` is the
    overlay's part of the header set that the database was made for. Returns the events, those so far among them: from
    now on, nothing else would say what happened.
    """
    happened = list(so_far)
    machine, journal, sets = parts.machine, parts.journal, parts.sets
    if made is not None:
        # libsolv's cache knows packages by hdrNum, and a new database has other hdrNums.
        var.forget_installed(Path(machine.var))
    if journal.base() != sets.host_files or seeded.is_unfinished(Path(machine.seeded)):
        happened += alternatives.follow(parts)
        _seed(parts, journal.base(), upper, before)
        happened += made_in_var.make_anew(parts)
    if made is not None:
        parts.builder.close(made)
    then = keyring.recall(Path(machine.keys)) if before is not None else {}
    target = Path(machine.rpmdb) if made is None else made.path
    keys = keyring.follow(target, own=Path(machine.rpmdb), host=connection.dbpath(Path(machine.root)), then=then)
    sets.keep_hidden(upper.whiteouts)
    journal.keep(happened)
    if made is not None:
        journal.commit(sets.host_files)
    else:
        journal.rebase(sets.host_files)
    keyring.remember(Path(machine.keys), keys)
    stamp = now.stamp if (now := made or before) else None
    if stamp is None:
        sets.upper.remove_stamp()
    else:
        sets.upper.write_stamp(stamp)
    sets.forget_hidden(upper.whiteouts)
    return happened


def _seed(parts: Parts, base: AbstractSet[HeaderFile] | None, upper: UpperSet, before: Content | None) -> None:
    """Have the machine's /var follow the host's, in what packages own there: see `following.var`."""
    machine, sets = parts.machine, parts.sets
    record = Path(machine.seeded)
    aliases = var.aliases(Path(machine.root))
    shown, known = upper.over(sets.host_files), seeded.owned(record, aliases)
    # A hidden package may show again without any change of the host, so its paths are recorded as well.
    every = shown | sets.host_files
    if base is None or known is None:
        try:
            with rpmdb.Database.open(connection.dbpath(Path(machine.root))) as database:
                headers = {file: each.blob for top in aliases for file, each in header.file_names(database.around(top))}
                owned = {file: _owned(parse.paths_below, blob, file, aliases) for file, blob in headers.items()}
                unknown = set(upper.files)
        except UnusableDatabase:  # rpm is at work in it, say: the header set says the same, and takes longer
            owned, unknown = {}, set(every)
    else:
        owned = {file: known[file] for file in every & known.keys()}
        unknown = set(every - base - known.keys())
    for file in unknown:
        is_ours = file in upper.files
        source, paths_below = (sets.upper, parts.reader.paths_below) if is_ours else (sets.host, parse.paths_below)
        owned[file] = _owned(paths_below, source.read_blob(file), f"{source.path / file}", aliases)
    # Which paths a package with a stand-in owns, the host's own header says: anybody may have made the stand-in.
    standing = set(map(header.label, upper.files))
    Path(machine.seen).unlink(missing_ok=True)  # should this be killed, the next launch has something to do
    of_host = {file for file in sets.host_files if file in shown or header.label(file) in standing}
    var.seed(
        parts.trees.var,
        owned,
        own=upper.files,
        of_host=of_host,
        homes=parts.trees.homes,
        aliases=aliases,
        record=record,
        as_installed=lambda: var_before.as_installed(parts, before, base=base, upper=upper, aliases=aliases),
    )


def _owned(
    paths_below: Callable[..., AbstractSet[str]], blob: bytes, file: str, aliases: Mapping[str, str]
) -> AbstractSet[str]:
    """Return the paths in /var of what a package owns; `paths_below` is that of `parse`, or of a `Reader`."""
    return {
        f"{lead}{path.removeprefix(alias)}"
        for alias, lead in aliases.items()
        for path in paths_below(blob, alias, file=file)
    }
