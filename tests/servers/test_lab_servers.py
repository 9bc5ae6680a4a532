"""A lab server is a real one: systemd, sshd, sudo, apt, updates that wait, and a reboot that comes back."""

import subprocess

import pytest

from lab import Lab
from lab.waiting import wait_until


@pytest.fixture(scope="module")
def server(lab: Lab) -> str:
    """A server as a hoster hands it over."""
    return lab.up(["plain"])[0].name


def test_it_boots_whole(lab: Lab, server: str, shell) -> None:
    """systemd runs as pid 1 without a failed unit; the server knows its name and lets `ops` be root."""
    assert shell(
        lab, server, "cat /proc/1/comm; systemctl is-system-running; hostname; sudo id -u"
    ).split() == [
        "systemd",
        "running",
        "plain",
        "0",
    ]


def test_security_updates_wait_for_it(lab: Lab, server: str, shell) -> None:
    """apt reaches the archive from inside; security updates of PostgreSQL and nginx are pending."""
    shell(lab, server, "sudo apt-get update -qq")
    pending = shell(lab, server, "apt list --upgradable 2>/dev/null").splitlines()
    security = [line.split("/")[0] for line in pending if "-security" in line]
    assert "postgresql-15" in security
    assert any(name.startswith("nginx") for name in security)


def test_reboot_from_inside_comes_back(lab: Lab, server: str, shell) -> None:
    """`reboot` ends this boot; the server returns by itself, another boot with its files and its SSH key."""
    boot = shell(lab, server, "echo kept > ~/kept; cat /proc/sys/kernel/random/boot_id")
    subprocess.run(
        ["ssh", "-F", lab.ssh_config, server, "sudo reboot"], capture_output=True, timeout=30, check=False
    )
    lab.up([server])
    assert shell(lab, server, "cat /proc/sys/kernel/random/boot_id") != boot
    assert shell(lab, server, "cat ~/kept") == "kept"


def test_poweroff_inside_is_a_stopped_server(lab: Lab, server: str, shell) -> None:
    """A server that was switched off inside stays off, shows it, and `up` starts it."""
    subprocess.run(
        ["ssh", "-F", lab.ssh_config, server, "sudo poweroff"], capture_output=True, timeout=30, check=False
    )

    def is_off() -> bool:
        return [each.state for each in lab.status() if each.name == server] == ["stopped"]

    wait_until(is_off, "the server to switch itself off", 30)
    assert lab.start(server).state == "running"
    assert shell(lab, server, "cat ~/kept") == "kept"


def test_python_packages_come_from_the_wheelhouse_only(lab: Lab, server: str, shell) -> None:
    """pip inside has no index, and the bound wheelhouse cannot be written to."""
    shown = shell(
        lab,
        server,
        'pip_conf=$(cat /etc/pip.conf); echo "$pip_conf"; sudo touch /opt/wheels/x || echo refused',
    )
    assert "no-index = true" in shown
    assert shown.endswith("refused")
