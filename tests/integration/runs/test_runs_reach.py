"""Whom a run reaches: the ordered servers, what customers share, and what the playbook makes itself."""

import json
from pathlib import Path

from .conftest import House

LOCAL = '{ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}'
# Each play notes its host, a variable of the customer and one of the provider.
DRILL = """
- hosts: backup_server
  gather_facts: false
  tasks: &note
    - ansible.builtin.shell: >-
        echo {{ inventory_hostname }} {{ amc_contract.customer }}
        {{ hostvars[groups['backup_server'][0]].shared }} >> HOUSE/reached
- hosts: mems
  gather_facts: false
  tasks: *note
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.add_host: LOCAL_DRILL
    - ansible.builtin.file: {path: "{{ amc_evidence_dir }}/acme-erp1", state: directory}
    - ansible.builtin.copy: {content: "{}", dest: "{{ amc_evidence_dir }}/acme-erp1/drill.json"}
- hosts: drill
  gather_facts: false
  tasks: *note
"""


def test_a_run_reaches_the_shared_server_and_no_other_customers_server(house: House) -> None:
    """Both inventories are read, both are hashed, and nobody is reached who was not ordered."""
    repository = house.folder / "repository"
    inventories = repository / "inventories"
    servers = f"all: {{children: {{mems: {{hosts: {{acme-erp1: {LOCAL}, acme-erp2: {LOCAL}}}}}}}}}\n"
    (inventories / "acme" / "hosts.yml").write_text(servers)
    (inventories / "provider").mkdir()
    shared = f"backup_server: {{hosts: {{backup1: {LOCAL}}}, vars: {{shared: pool}}}}\n"
    (inventories / "provider" / "hosts.yml").write_text(shared)
    added = LOCAL.replace("{ansible_c", "{name: drill-1, groups: [drill], ansible_c")
    drill = DRILL.replace("HOUSE", str(house.folder)).replace("LOCAL_DRILL", added)
    (repository / "playbooks" / "drill.yml").write_text(drill)

    found = house.json("run", "start", "drill", "--customer", "acme", "--server", "acme-erp1", "--wait")
    assert (found["state"], found["charged_seconds"]) == ("done", 0)
    reached = (house.folder / "reached").read_text().splitlines()
    assert reached == ["backup1 acme pool", "acme-erp1 acme pool", "drill-1 acme pool"]
    (attempt,) = Path(found["evidence"]).glob("attempt-1")
    assert "WARNING" not in (attempt / "log.txt").read_text()
    inputs = json.loads((attempt / "inputs.json").read_text())
    assert len({inputs["customer_folder_sha256"], inputs["provider_folder_sha256"]}) == 2
