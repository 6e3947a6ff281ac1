# SPDX-License-Identifier: GPL-2.0-or-later
"""Three-way merges of INI files: key by key, in sections. Lines and sections are told apart as libzypp does.

Lines are bytes, and those that nobody changed stay as they are, comments among them. Each is looked at once: anybody
may have made the file.
"""

from collections.abc import Iterable, Mapping

_NOT_IN_KEYS = b":/?|,\\"
"""Before an equals sign, these make a line one more of the value before it, a URL (libzypp, IniParser.cc)."""

_HEADER = b""
"""The key of the line that begins a section; the value is its name."""

_URL = b"baseurl"
"""The key that tells which repository it is, if a section gets another name (zypper renamerepo)."""

_Line = tuple[bytes | None, bytes, bytes]
"""The key that a line belongs to, its part of the value, and the line. Comments and lines of no key have None."""

_Keys = dict[bytes, list[bytes]]
"""Values by key: a value has a part for each line."""


def merge(*, then: bytes, now: bytes, ours: bytes) -> bytes | None:
    """Return the overlay's file `ours` with what the host changed in its own between `then` and `now`.

    It is None if the result would say what the host's file says, and has no comment that somebody in the overlay wrote.
    What both changed is as the overlay has it, and so is a section that both added with different URLs.
    """
    before = _parse(then)
    files = [before, *(_by_names(_parse(content), before) for content in (now, ours))]
    old, new, mine = ({section: _keys(lines) for section, lines in file.items()} for file in files)
    merged = {section: _merged(old.get(section), new.get(section), mine.get(section)) for section in {**mine, **new}}
    wanted = {section: keys for section, keys in merged.items() if keys is not None}
    comments_then, comments_now, comments = map(_comments, files)
    if wanted == new and comments <= comments_then | comments_now:
        return None
    if wanted == mine:
        return ours
    _, theirs, lines = files
    edited = [
        line
        for section in {**lines, **wanted}
        for line in _edited(lines.get(section, []), theirs.get(section, []), wanted.get(section, {}))
    ]
    return b"".join(b"%b\n" % line for line in edited)


def names(content: bytes) -> set[bytes]:
    """Return the names of the sections."""
    return {section for section in _parse(content) if section is not None}


def _merged(
    old: Mapping[bytes, list[bytes]] | None,
    new: Mapping[bytes, list[bytes]] | None,
    mine: Mapping[bytes, list[bytes]] | None,
) -> _Keys | None:
    """Return a section with what the host changed in it, or None if there is none any more."""
    if mine is None or new is None:
        changed_by_one = new if mine is None else mine
        if old is None:
            return dict(changed_by_one or {})  # one side added it
        gone = mine is None or mine == old  # one removed it, and the other did not change it
        return None if gone else dict(mine or {})
    if old is None and _URL in mine and mine[_URL] != new.get(_URL):
        return dict(mine)  # it is another repository
    old = old or {}
    found = {}
    for key in {**mine, **new}:
        value = new.get(key) if mine.get(key) == old.get(key) else mine.get(key)
        if value is not None:
            found[key] = value
    return found


def _edited(ours: list[_Line], theirs: list[_Line], wanted: Mapping[bytes, list[bytes]]) -> list[bytes]:
    """Return the lines of a section with the values `wanted`, each of which is that of `ours` or `theirs`."""
    mine = _keys(ours)
    kept = {key for key, value in wanted.items() if value == mine.get(key)}
    change: _Keys = {}
    for key, _, line in theirs:
        if key is not None and key in wanted and key not in kept:
            change.setdefault(key, []).append(line)
    lines: list[bytes] = []
    end = 0
    for key, _, line in ours:
        if key is None or key in kept:
            lines.append(line)
        else:
            lines += change.pop(key, [])
        if key is not None:
            end = len(lines)
    lines[end:end] = [line for added in change.values() for line in added]
    return lines


def _parse(content: bytes) -> dict[bytes | None, list[_Line]]:
    """Return the lines of each section; those before the first one are of a section None.

    Of a section that is there several times, each but the first has a name with a line break and its number.
    """
    section: bytes | None = None
    key: bytes | None = None
    sections: dict[bytes | None, list[_Line]] = {section: []}
    times: dict[bytes, int] = {}
    for line in content.removesuffix(b"\n").split(b"\n"):
        text = line.strip()
        before, equals, value = text.partition(b"=")
        if not text or text.startswith((b"#", b";")):
            sections[section].append((None, b"", line))
        elif text.startswith(b"[") and b"]" in text:
            name = text[1 : text.rindex(b"]")]
            times[name] = times.get(name, 0) + 1
            section, key = name if times[name] == 1 else b"%b\n%d" % (name, times[name]), None
            sections[section] = [(_HEADER, name, line)]
        elif section is not None and equals and before and not any(byte in before for byte in _NOT_IN_KEYS):
            key = before.rstrip()
            sections[section].append((key, value.lstrip(), line))
        else:
            sections[section].append((key, text, line))
    return sections


def _by_names(
    sections: Mapping[bytes | None, list[_Line]], before: Mapping[bytes | None, list[_Line]]
) -> dict[bytes | None, list[_Line]]:
    """Return sections by the names that they had `before`, also those that have other names since."""
    gone = {tuple(_url(lines)): name for name, lines in before.items() if name not in sections and _url(lines)}
    return {name if name in before else gone.pop(tuple(_url(lines)), name): lines for name, lines in sections.items()}


def _url(lines: Iterable[_Line]) -> list[bytes]:
    return [value for key, value, _ in lines if key == _URL]


def _keys(lines: Iterable[_Line]) -> _Keys:
    found: _Keys = {}
    for key, value, _ in lines:
        if key is not None:
            found.setdefault(key, []).append(value)
    return found


def _comments(sections: Mapping[bytes | None, Iterable[_Line]]) -> set[bytes]:
    return {text for lines in sections.values() for key, _, line in lines if key is None and (text := line.strip())}
