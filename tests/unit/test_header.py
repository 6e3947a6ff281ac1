# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of header files, and the states of files in a header."""

import hashlib
import struct
from collections.abc import Mapping

import pytest
import rpm
from hypothesis import given
from hypothesis import strategies as st

from toy.headers import header
from toy.headers.header import Header, HeaderFile

# What rpm stores is bytes; in Python the odd ones are surrogates.
texts = st.binary(min_size=1, max_size=300).map(lambda raw: raw.replace(b"\0", b"0").decode(errors="surrogateescape"))
headers = st.builds(Header, name=texts, version=texts, release=texts, arch=texts, blob=st.binary(max_size=8))


def file_name(one: Header) -> HeaderFile:
    ((name, _),) = header.file_names([one])
    return name


@given(headers)
def test_any_name_makes_a_file_name(one: Header) -> None:
    name = file_name(one)
    assert len(name.encode()) <= 255
    assert name.isascii() and name.isprintable() and "/" not in name
    assert name[0].isalnum() or name[0] == "%"  # neither hidden from *.hdr nor an option
    assert header.is_file_name(name)
    assert header.package_of(name) == header.package(one.name)
    assert hashlib.sha256(one.blob).hexdigest() in name


@given(headers, headers)
def test_other_content_other_name(one: Header, other: Header) -> None:
    assert (file_name(one) == file_name(other)) <= (one.blob == other.blob)


def test_names_are_readable() -> None:
    blob = b"blob"
    digest = hashlib.sha256(blob).hexdigest()
    assert file_name(Header("bash", "5.2.15", "2.cm2", "x86_64", blob)) == f"bash-5.2.15-2.cm2.x86_64.{digest}.hdr"
    assert file_name(Header("vim", "2:9.0", "1", "noarch", blob)) == f"vim-2:9.0-1.noarch.{digest}.hdr"
    assert file_name(Header("gpg-pubkey", "3fa1", "62f0", "", blob)) == f"gpg-pubkey-3fa1-62f0.{digest}.hdr"


@pytest.mark.parametrize("pair", ["\u65e5\u672c\u8a9e \u65e5\u672c\u4eba", "\u00e9 \u00e8", "\udc80 \udc81", "a_ a-"])
def test_other_names_are_other_packages(pair: str) -> None:
    one, other = pair.split()
    assert header.package(one) != header.package(other)


def test_identical_headers_are_told_apart() -> None:
    one = Header("a", "1", "1", "noarch", b"blob")
    first, second, third = (name for name, _ in header.file_names([one, one, one]))
    assert second == first.replace(".hdr", ".2.hdr")
    assert third == first.replace(".hdr", ".3.hdr")


def test_content_is_held_against_the_name() -> None:
    name = file_name(Header("a", "1", "1", "noarch", b"blob"))
    assert header.problem(name, header.MAGIC + b"blob") is None
    assert header.problem(name, header.MAGIC + b"blo") == "truncated or altered"
    assert header.problem(name, b"") == "not an rpm header"
    assert header.problem(name, b"blob") == "not an rpm header"


def test_magic_is_rpms() -> None:
    assert rpm.header_magic == header.MAGIC


DIGEST = "0" * 64
NAMES = {
    f"bash-5.2-1.x86_64.{DIGEST}.hdr": ("bash", "x86_64"),
    f"gtk-doc-1:2-3.4.noarch.{DIGEST}.2.hdr": ("gtk-doc", "noarch"),
    f"gpg-pubkey-3fa1-62f0.{DIGEST}.hdr": ("gpg-pubkey", ""),
    f"a.b-1.0-1.i586.{DIGEST}.10.hdr": ("a.b", "i586"),
    f"k-1.5-2.{DIGEST}.hdr": ("k", ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_name_says(name: str) -> None:
    package, arch = NAMES[name]
    assert header.is_file_name(name)
    assert (header.package_of(name), header.arch_of(name)) == (package, arch)
    assert header.label(name) == name.partition(f".{DIGEST}")[0]


@pytest.mark.parametrize(
    "name",
    [
        *("", "x", "bash-5.2-1.x86_64.hdr", f"bash-5.2.x86_64.{DIGEST}.hdr", f"{DIGEST}.hdr", f".{DIGEST}.hdr"),
        *(
            f"a-1-1.{DIGEST}",
            f"a-1-1.{DIGEST}.rpm",
            f"a-1-1.{DIGEST}.hdr~",
            f"a-1-1.{DIGEST}.hdr\n",
            f"a-1-1{DIGEST}.hdr",
        ),
        *(f"../a-1-1.{DIGEST}.hdr", f"a/b-1-1.{DIGEST}.hdr", f"a-1-1.{DIGEST[1:]}.hdr", f"a-1-1.{DIGEST}0.hdr"),
        *(f"a-1-1.{DIGEST[1:]}A.hdr", f"a-1-1.{DIGEST}.0.hdr", f"a-1-1.{DIGEST}.02.hdr", f"a-1-1.{DIGEST}.x.hdr"),
    ],
)
def test_what_is_no_name(name: str) -> None:
    assert not header.is_file_name(name)
    assert header.problem(HeaderFile(name), header.MAGIC) is not None


def test_which_names_promise_the_same() -> None:
    one, same, other, none = (
        HeaderFile(name)
        for name in (f"a-1-1.{DIGEST}.hdr", f"b-2-2.noarch.{DIGEST}.3.hdr", f"a-1-1.{DIGEST[1:]}1.hdr", "x")
    )
    assert header.same_content(one, same)
    assert not any(map(header.same_content, (one, none, one, none), (other, one, none, none)))


@pytest.mark.parametrize(
    ("package", "quoted"),
    [
        ("bash", "bash"),
        ("libstdc++", "libstdc++"),
        ("perl(x)", "perl%28x%29"),
        ("a:b~c_d", "a:b~c_d"),
        ("_x", "%5Fx"),
        ("-x", "%2Dx"),
        (".x", "%2Ex"),
        ("+", "%2B"),
        ("naïve", "na%C3%AFve"),
        ("\udcffx", "%25FFx"),
        ("a" * 80, "a" * 80),
        ("a" * 81, f"{'a' * 63}~{hashlib.sha256(b'a' * 81).hexdigest()[:16]}"),
        ("", "%25"),
    ],
)
def test_a_package_name_as_it_stands_in_file_names(package: str, quoted: str) -> None:
    assert header.package(package) == quoted


def test_what_is_too_long_is_cut() -> None:
    name = file_name(Header("a", "1-" * 40, "2" * 40, "x" * 40, b""))
    assert header.label(name) == f"a-{'1%2D' * 10}-{'2' * 35}.{'x' * 15}"


def blob(
    states: bytes,
    *,
    tag: int = 1029,
    offset: int = 3,
    count: int | None = None,
    size: int | None = None,
    others: bytes = b"abc",
) -> bytes:
    """Return a header's blob: of two entries, the second is that of the file states, whose data follows others."""
    data = others + states + b"xyz"
    size, count = len(data) if size is None else size, len(states) if count is None else count
    entries = struct.pack(">IIiI", 1000, 6, 0, 1) + struct.pack(">IIiI", tag, 2, offset, count)
    return struct.pack(">II", 2, size) + entries + data


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, b"\0\1\2"),
        ({0: header.REPLACED}, b"\1\1\2"),
        ({1: header.NORMAL, 2: header.NOT_INSTALLED}, b"\0\0\2"),
        ({0: header.NOT_INSTALLED, 1: header.NOT_INSTALLED}, b"\2\2\2"),
        ({3: header.REPLACED}, b"\0\1\2"),
    ],
)
def test_states_of_files(changes: Mapping[int, int], states: bytes) -> None:
    assert header.with_file_states(blob(b"\0\1\2"), changes) == blob(states)
    assert header.installation(blob(b"\0\1\2")) == header.installation(blob(states))


def test_states_of_files_at_the_very_beginning_and_end_of_the_data() -> None:
    assert header.with_file_states(blob(b"\0", offset=0, others=b""), {0: 2}) == blob(b"\2", offset=0, others=b"")
    last = blob(b"\0", size=4)  # what follows is no data of this header's
    assert header.with_file_states(last, {0: 2}) == blob(b"\2", size=4)


@pytest.mark.parametrize(
    "lying",
    [
        *(blob(b"\0\0", tag=1028), blob(b"\0\0", tag=1030), blob(b"\0\0", size=4), blob(b"\0\0", offset=-1), blob(b"")),
        blob(b"\0\0", count=2**32 - 2),
    ],
    ids=["no states", "others", "beyond the data", "before the data", "none", "more than there is data"],
)
def test_without_states_nothing_changes(lying: bytes) -> None:
    assert header.with_file_states(lying, {0: 1, 1: 2}) == lying
    assert header.installation(lying) == hashlib.sha256(lying).hexdigest()


def test_what_differs_in_more_than_states_is_another_installation() -> None:
    one = header.installation(blob(b"\0\1"))
    assert one != header.installation(blob(b"\0\1", others=b"abd"))
    assert one != header.installation(blob(b"\0\1")[:-1] + b"!")
    assert one != header.installation(blob(b"\0\1", size=9))
    assert one != header.installation(blob(b"\0\1\1"))


def test_states_are_rpms() -> None:
    assert rpm.RPMTAG_FILESTATES == 1029
    states = (rpm.RPMFILE_STATE_NORMAL, rpm.RPMFILE_STATE_REPLACED, rpm.RPMFILE_STATE_NOTINSTALLED)
    assert states == (header.NORMAL, header.REPLACED, header.NOT_INSTALLED)


@pytest.mark.parametrize("version", ["1", "7:1.2", "1~rc1^git"])
@pytest.mark.parametrize("name", ["a", "gtk2-engine+", "a.b", "-odd", "ä b", "%x", "äö"])
def test_a_file_name_tells_name_and_version(name: str, version: str) -> None:
    ((file, _),) = header.file_names([Header(name, version, "1.2", "noarch", b"")])
    assert header.name_and_evr(file) == (name, f"{version}-1.2")


def test_a_file_name_tells_name_and_version_of_a_key() -> None:
    ((file, _),) = header.file_names([Header("gpg-pubkey", "abc", "123", "", b"")])
    assert header.name_and_evr(file) == ("gpg-pubkey", "abc-123")
