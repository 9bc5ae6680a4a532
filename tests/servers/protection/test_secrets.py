"""Secrets are changed as docs/secrets.md says, and all goes on with the new ones."""

from backed_up import BACKUP, STATE
from recovering import Recovered

RESTIC = f"cd /; runuser -u barman -- restic -q -r {STATE}/restic --cache-dir {STATE}/cache"
NEW = "the-new-words-of-the-repository"


def test_the_passwords_of_the_backup_are_changed(pair: Recovered) -> None:
    """Barman's two and the repository's in one go: the old ones open nothing, the next backup is whole."""
    secrets = pair.secrets / "by-hand"
    names = ("backup_barman_password", "backup_streaming_password", "backup_restic_password")
    old = {name: (secrets / name).read_text().strip() for name in names}
    for name in names[:2]:
        (secrets / name).unlink()
    (secrets / names[2]).write_text(NEW + "\n")
    pair.root(
        BACKUP,
        f"echo {NEW} | install -o barman -m 600 /dev/stdin {STATE}/new\n"
        f"{RESTIC} -p {STATE}/restic-password key passwd --new-password-file {STATE}/new; rm {STATE}/new",
    )
    done = pair.playbook("playbooks/backup.yml", "--tags", "backup")
    assert done.returncode == 0, done.stdout[-4000:]
    kept = pair.root(BACKUP, f"cat {STATE}/pgpass {STATE}/restic-password")
    assert not any(password in kept for password in old.values()) and NEW in kept
    backup = pair.program("backup")
    assert backup["ok"], backup["problems"]
