# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that packages are checked with, wherever rpm keeps them: host and overlay each add and remove some."""

import pytest
from backends import KEYRINGS, needs_openpgp
from host import Host
from image import DATABASE, HELLO, SOURCE, publish
from truth import OVERLAY

KEY = "efc7a03320227660c2e77358ad0007264f440f5c"
PUBKEYS = f"{DATABASE}/pubkeys"

IMPORT = f"mkdir -p {PUBKEYS}; rpm --import {SOURCE}/tests/support/key.asc"  # rpm 4 makes no directory for it
KEYS = f"rpmkeys --list 2>/dev/null || rpm -qa 'gpg-pubkey*'; find {PUBKEYS} -type f -size +0 2>/dev/null || :"


def trusts(host: Host, *where: str) -> bool:
    """Say whether rpm has the key."""
    return host.run(*where, "sh", "-c", KEYS).stdout != ""


def revoke(host: Host) -> str:
    """Return the script that removes the key: rpm 4 has no command for one that is a file."""
    erase = f"{' '.join(host.rpm)} -e --allmatches gpg-pubkey"
    return f"rpmkeys --delete {KEY} >&2 || {erase} >&2 || rm {PUBKEYS}/*"


@pytest.fixture(params=[pytest.param(kind, marks=needs_openpgp) for kind in KEYRINGS])
def ring(request: pytest.FixtureRequest, host: Host) -> Host:
    """A host that keeps its keys in this kind of keyring."""
    host.change(f"echo '%_keyring {request.param}' >> /etc/rpm/macros; mkdir -p {PUBKEYS}")
    assert not trusts(host)
    return host


@pytest.mark.everywhere
def test_a_key_that_the_host_revoked_is_revoked_in_the_overlay(ring: Host) -> None:
    ring.change(IMPORT)
    assert trusts(ring, *OVERLAY)
    ring.change(revoke(ring))
    assert not trusts(ring, *OVERLAY)


@pytest.mark.everywhere
def test_a_key_removed_in_the_overlay_does_not_return(ring: Host) -> None:
    ring.change(IMPORT)
    ring.run(*OVERLAY, "sh", "-c", revoke(ring))
    assert not trusts(ring, *OVERLAY)
    publish(ring, HELLO)
    ring.zypper("install", "hello")
    assert not trusts(ring, *OVERLAY)
    assert trusts(ring)


@pytest.mark.everywhere
def test_a_key_of_the_overlay_stays_its_own(ring: Host) -> None:
    ring.run(*OVERLAY, "sh", "-c", IMPORT)
    publish(ring, HELLO)
    ring.zypper("install", "hello")
    assert trusts(ring, *OVERLAY)
    assert not trusts(ring)


AWKWARD = {
    "a link in the place of a key": "ln -s /etc/shadow own",
    "a link in the place of the host's": "ln -sf /etc/shadow host.key",
    "a directory in the place of the host's": "rm host.key; mkdir host.key",
    "a pipe": "mkfifo own",
    "a large file": "truncate --size=1T own",
    "deep directories": "mkdir -p a/b/c/d; echo x > a/b/c/d/own",
    "a link in the place of a directory": "rm -r deep; ln -s /srv/aside deep",
}


@pytest.mark.parametrize("script", AWKWARD.values(), ids=AWKWARD)
def test_what_lies_among_the_keys_leads_nowhere(plain: Host, script: str) -> None:
    plain.sh(f"mkdir -p {PUBKEYS}/deep /srv/aside; echo host > {PUBKEYS}/host.key; echo deep > {PUBKEYS}/deep/host")
    plain.run(*OVERLAY, "sh", "-ec", f"cd {PUBKEYS}; {script}")
    shadow = plain.run("sha256sum", "/etc/shadow").stdout
    plain.sh(f"for key in host.key deep/host; do echo new > {PUBKEYS}/$key; done")
    plain.sh(f"{' '.join(plain.rpm)} -e --notriggers legacy")
    assert plain.run(*OVERLAY, "true").stderr == ""
    keys = plain.sh("cd /var/lib/toy/toy/rpmdb/pubkeys; find -type f -size -1M -exec cat {} +").split()
    assert set(keys) <= {"new"}
    assert plain.run("ls", "/srv/aside").stdout == ""
    assert plain.run("sha256sum", "/etc/shadow").stdout == shadow


@pytest.mark.parametrize("record", ["rm", "echo >", 'echo \'{"version": 1, "keys": [7]}\' >'])
def test_without_a_record_no_key_goes(plain: Host, record: str) -> None:
    plain.sh(f"mkdir -p {PUBKEYS}; echo host > {PUBKEYS}/host.key")
    plain.run(*OVERLAY, "sh", "-c", f"echo ours > {PUBKEYS}/ours.key")
    plain.sh(f"{record} /var/lib/toy/toy/keys; echo new > {PUBKEYS}/new.key")
    assert plain.run(*OVERLAY, "ls", PUBKEYS).stdout.split() == ["host.key", "new.key", "ours.key"]
