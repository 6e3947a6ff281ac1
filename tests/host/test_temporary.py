# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of an overlay's users that have the name of toy's own, and names of files in any locale."""

import pytest
from host import Host
from image import RPMS, publish
from overlay import toy
from packages import Package, build
from truth import OVERLAY, packages

STATE = "/var/lib/toy/toy"

THEIRS = {
    "a directory": "mkdir {0}; echo precious > {0}/x",
    "a file": "echo precious > {0}",
    "a private file": "echo precious > {0}; chmod 600 {0}",
    "a link": "ln -s precious {0}",
}


@pytest.mark.parametrize("kind", THEIRS)
def test_what_has_the_name_of_a_file_that_toy_writes_gets_another(host: Host, kind: str) -> None:
    own = "echo own:x:1500:1500::/:/bin/sh >> /etc/passwd; zypper -n modifyrepo --disable test >/dev/null 2>&1 || :"
    host.run(*OVERLAY, "sh", "-c", f"{own}; cd /etc; {THEIRS[kind].format('.toy-new')}")
    shown = "cat .toy-new.rpmsave/x .toy-new.rpmsave 2>/dev/null || readlink .toy-new.rpmsave"
    for number in range(2):
        host.sh(f"echo new{number}:x:{1600 + number}:100::/:/bin/sh >> /etc/passwd")
        done = host.run(*OVERLAY, "sh", "-c", f"cd /etc; {shown}; tail -n 3 passwd | cut -d: -f1; ls -d .toy-new*")
        assert (done.stderr, done.stdout.split()[:1]) == ("", ["precious"])
        assert done.stdout.split()[-1] == ".toy-new.rpmsave"
        assert f"new{number}" in done.stdout


def test_what_an_interrupted_launch_left_goes(host: Host) -> None:
    host.run(*OVERLAY, "sh", "-c", "echo own:x:1500:1500::/:/bin/sh >> /etc/passwd")
    host.sh("strace -V > /dev/null; echo new:x:1600:100::/:/bin/sh >> /etc/passwd")
    kill = "rename,renameat,renameat2:signal=KILL:when=1"
    host.run("strace", "-f", "-qq", "-o", "/dev/null", f"--inject={kill}", "toy", "--", "true", check=False)
    toy(host, "true")
    assert "new" in host.run(*OVERLAY, "cut", "-d:", "-f1", "/etc/passwd").stdout.split()
    assert host.sh(f"find {STATE} -name '.toy-new'") == ""


EURO = "/usr/share/\u20ac"


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX", "en_US.ISO-8859-1"])
def test_names_of_files_are_the_same_in_any_locale(host: Host, locale: str) -> None:
    host.sh("localedef -c -i en_US -f ISO-8859-1 /srv/en_US.ISO-8859-1 || :")  # without it, the locale is C
    env = {"LOCPATH": "/srv", "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    one, two = (Package("euro", version, files={EURO: version}) for version in "12")
    build(host, [one], RPMS)
    host.run(*OVERLAY, *host.rpm, "-i", f"{RPMS}/{one.file}", env=env)
    publish(host, two)
    host.run("zypper", "-n", "install", "euro", env=env)
    done = host.run(*OVERLAY, "cat", EURO, env=env)
    assert (done.stdout, done.stderr) == ("2\n", "toy: retired: euro 1-1 (host has 2-1)\n")
    host.run("zypper", "-n", "remove", "euro", env=env)
    assert host.run(*OVERLAY, "true", env=env).stderr.startswith("toy: gone: euro 1-1 (")
    assert packages(host, *OVERLAY) == packages(host)
