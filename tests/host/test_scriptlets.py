# SPDX-License-Identifier: GPL-2.0-or-later
"""Scriptlets of packages that want something of systemd, in an overlay where none runs."""

import pytest
from host import Host
from image import RPMS, publish
from overlay import toy
from packages import Package
from truth import OVERLAY, is_current, packages

UNIT = "/usr/lib/systemd/system/service.service"
LINK = "/etc/systemd/system/multi-user.target.wants/service.service"
COMMANDS = """
systemctl daemon-reload
/usr/bin/systemctl daemon-reload
systemctl daemon-reexec
systemctl {verb} --now service.service
systemctl --now {verb} service
systemctl --no-reload {verb} --now service.service
systemctl start service
systemctl stop service
systemctl restart service.service
systemctl try-restart service.service
systemctl reload-or-try-restart service.service
systemctl is-active --quiet service && systemctl restart service
systemctl set-property service.service Markers=+needs-restart
systemctl reload-or-restart --marked
systemctl --user daemon-reload
systemctl --global {verb} service || :
systemctl mask --now other.service
systemctl unmask other.service
systemctl preset service.service
systemctl {verb} service.service
systemd-tmpfiles --create
systemd-sysusers
udevadm control --reload-rules && udevadm trigger --subsystem-match=block && udevadm settle --timeout=5
journalctl --update-catalog
loginctl list-sessions
hostnamectl
timedatectl show
test "$#" = 1
"""


def with_scriptlets(name: str, version: str = "1") -> Package:
    scripts = [
        f"%{section}\nset -e\n{COMMANDS.format(verb=verb)}"
        for section, verb in (("pre", "preset"), ("post", "enable"), ("preun", "disable"), ("postun", "disable"))
    ]
    # Presets and disabling of what is not there (yet, any more) are the packager's mistakes.
    gone = "\n".join(line for line in scripts[0].splitlines() if " service" not in line)
    after = "\n".join(line for line in scripts[3].splitlines() if " service" not in line)
    unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target"
    return Package(name, version, files={UNIT: unit}, scripts="\n".join([gone, *scripts[1:3], after]))


@pytest.mark.everywhere
@pytest.mark.parametrize("tool", ["zypper", "rpm"])
def test_they_succeed(host: Host, tool: str) -> None:
    one, two = with_scriptlets("service"), with_scriptlets("service", "2")
    publish(host, one, two)
    rpm = " ".join(host.rpm)
    if tool == "zypper":
        install, update, erase = (f"zypper -n {verb}" for verb in ("install service=1", "update", "remove service"))
    else:
        install, update, erase = f"{rpm} -i {RPMS}/{one.file}", f"{rpm} -U {RPMS}/{two.file}", f"{rpm} -e service"
    host.run(*OVERLAY, "sh", "-ec", f"{install}; test -L {LINK}")
    assert host.run("test", "-L", LINK, check=False).returncode == 1
    host.run(*OVERLAY, "sh", "-ec", update)
    assert "service-2" in packages(host, *OVERLAY)
    host.run(*OVERLAY, "sh", "-ec", f"{erase}; ! test -L {LINK}")
    assert packages(host, *OVERLAY) == packages(host)
    assert is_current(host, *OVERLAY)


TELLER = Package("teller", files={"/usr/share/teller": ""}, scripts="%post\nenv > /usr/share/told")


def test_nothing_else_is_told_so(host: Host) -> None:
    publish(host, TELLER)
    host.run(*OVERLAY, "zypper", "-n", "install", "teller")
    assert "SYSTEMD_OFFLINE=1\n" in toy(host, "cat", "/usr/share/told").stdout
    assert "SYSTEMD_" not in toy(host, "env").stdout
    done = toy(host, "systemctl", "status")
    assert "not been booted with systemd" in done.stderr
    assert done.returncode == 1
    assert toy(host, "systemctl", "is-active", "sshd").returncode != 0


def test_the_host_is_not(host: Host) -> None:
    toy(host, "true")
    publish(host, TELLER)
    host.zypper("install", "teller")
    said = host.run("cat", "/usr/share/told").stdout
    # Of another root than its own, zypper itself says SYSTEMD_OFFLINE=1.
    assert "SYSTEMD_IN_CHROOT" not in said
    assert "scriptlets" not in said


def test_it_is_no_difference(host: Host) -> None:
    assert toy(host, "rpm", "-Va").stdout == ""
    assert host.run("toy", "diff").stdout == ""
