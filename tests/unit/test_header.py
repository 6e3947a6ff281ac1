# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of header files."""

import hashlib

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
