"""Files and configuration of the M EMS server as the backup server keeps them."""

import json

testinfra_hosts = ["ansible://backup_server"]

STATE = "/var/lib/amc/backup/mems1"
OWNER = "import os, sys; print(os.getxattr(sys.argv[1], 'user.rsync.%stat').decode())"


def _files(host, *words: str):
    command = "python3 -B /usr/local/lib/amc/backup/files.py --server mems1 "
    return json.loads(host.check_output(command + " ".join(words)))


def test_the_store_is_pulled_every_minute_and_a_moment_marked_every_hour(host):
    """Both timers of this server are on."""
    for name in ("amc-backup-files@mems1.timer", "amc-backup-mark@mems1.timer"):
        assert host.service(name).is_enabled and host.service(name).is_running, name


def test_what_comes_back_is_what_is_there(host):
    """The snapshot has every file of the mirror; a second pull brings nothing and names the same one."""
    first = _files(host)
    assert first["ok"] and first["files"] > 0
    again = _files(host)
    assert (again["new"], again["snapshot"]) == (0, first["snapshot"])
    restic = f"restic -q -r {STATE}/restic -p {STATE}/restic-password --cache-dir {STATE}/cache"
    host.check_output(
        f"cd / && runuser -u barman -- {restic} restore {first['snapshot']} --target {STATE}/back"
    )
    try:
        assert host.check_output(f"diff -r {STATE}/store {STATE}/back") == ""
    finally:
        host.check_output(f"rm -r {STATE}/back")


def test_configuration_with_its_owners_and_without_what_identifies_the_machine(host):
    """PostgreSQL's, nginx's and M EMS's, with modes and owners; no password hashes and host keys."""
    assert _files(host, "--what=config")["ok"]
    for name in ("postgresql/15/main/pg_hba.conf", "mems/trytond.conf", "nginx/nginx.conf"):
        assert host.file(f"{STATE}/config/{name}").is_file, name
    noted = host.check_output(f'python3 -c "{OWNER}" {STATE}/config/mems/trytond.conf')
    assert noted.startswith("100640 0,0 0:")
    assert host.check_output(f"find {STATE}/config -name '*shadow*' -o -name 'ssh_host_*_key'") == ""


def test_nobody_else_reads_the_repository(host):
    """Only the pulling user; the password is in a file of its own."""
    assert host.file(STATE).mode == 0o700
    assert host.file(f"{STATE}/restic-password").mode == 0o600
    assert host.run("sudo -u nobody ls " + STATE).rc != 0
