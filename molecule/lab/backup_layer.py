"""The saved layer of a backup server: what takes long to install is there, and it is paired with nobody.

    python molecule/lab/backup_layer.py [--json]

Prints the layer's key, for `amc lab up --server backup1 --layer KEY`; see saved_layer.py. Only what takes
long names it: whoever starts a server from it runs playbooks/backup.yml, which brings all else up to date.
"""

from saved_layer import Layer, command_line

BACKUP = Layer(
    name="backup",
    server="backup1",
    playbook="playbooks/backup.yml",
    sources=(
        "roles/base/defaults/main.yml",
        "roles/backup_server/defaults/main.yml",
        "roles/backup_server/files/requirements.txt",
        "roles/backup_server/tasks/packages.yml",
        "molecule/lab/saved_layer.py",
        "molecule/lab/backup_layer.py",
    ),
    passes=(("--check",), ()),  # a bare server in check mode, too: nothing else tries that
)

if __name__ == "__main__":
    command_line(BACKUP)
