# SPDX-License-Identifier: GPL-2.0-or-later
"""Three-way merges of INI files, as libzypp has them: key by key, in sections."""

import configparser
import io
from collections.abc import Mapping


def merge(*, then: bytes, now: bytes, ours: bytes) -> bytes | None:
    """Return the overlay's file `ours` with what the host changed in its own between `then` and `now`.

    It is None if the result would say what the host's file says. What both changed is as the overlay has it. A file
    that makes no sense stays as it is.
    """
    try:
        old, new, mine = map(_parse, (then, now, ours))
    except (configparser.Error, UnicodeDecodeError):
        return ours
    merged = {section: _merged(old.get(section), new.get(section), mine.get(section)) for section in {**mine, **new}}
    wanted = {section: keys for section, keys in merged.items() if keys is not None}
    if wanted == new:
        return None
    return ours if wanted == mine else _unparse(wanted)


def _merged(
    old: Mapping[str, str] | None, new: Mapping[str, str] | None, mine: Mapping[str, str] | None
) -> dict[str, str] | None:
    """Return a section with what the host changed in it, or None if there is none any more."""
    if mine is None or new is None:
        changed_by_one = new if mine is None else mine
        if old is None:
            return dict(changed_by_one or {})  # one side added it
        gone = mine is None or mine == old  # one removed it, and the other did not change it
        return None if gone else dict(mine or {})
    old = old or {}
    found = {}
    for key in {**mine, **new}:
        value = new.get(key) if mine.get(key) == old.get(key) else mine.get(key)
        if value is not None:
            found[key] = value
    return found


def _parse(content: bytes) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(delimiters="=", strict=False, default_section="", allow_no_value=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are as they are written
    parser.read_string(content.decode())
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _unparse(sections: Mapping[str, Mapping[str, str]]) -> bytes:
    parser = configparser.RawConfigParser(delimiters="=", default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text, space_around_delimiters=False)
    return text.getvalue().encode()
