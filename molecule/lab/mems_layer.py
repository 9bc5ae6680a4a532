"""The saved layer with M EMS deployed: a server started from it answers business calls within seconds.

    python molecule/lab/mems_layer.py [--json]

Prints the layer's key, for `amc lab up --server mems1 --layer KEY`; see saved_layer.py. It belongs to the
server name mems1, whose certificate it holds. What was made for it (CA, passwords) lies in the server at
/var/lib/amc/layer-secrets: copy it to your AMC_SECRETS_DIR to run playbooks against it.
"""

from saved_layer import Layer, command_line

MEMS = Layer(
    name="mems",
    server="mems1",
    playbook="playbooks/deploy.yml",
    sources=(
        "ansible.cfg",
        "playbooks/deploy.yml",
        "roles/base",
        "roles/mems",
        "roles/mems_tryton",
        "molecule/lab/inventory/hosts.yml",
        "molecule/lab/saved_layer.py",
        "molecule/lab/mems_layer.py",
    ),
    passes=(("--check",), ()),  # a bare server in check mode, too: nothing else tries that
    secrets="/var/lib/amc/layer-secrets",
)

if __name__ == "__main__":
    command_line(MEMS)
