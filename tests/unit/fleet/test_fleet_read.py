"""Fleets through Ansible's own loader: what playbooks would see, and no fault that passes in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput, Problem
from orchestrator.fleet.read import customers, owners, provider_folder, read

REPOSITORY = Path(__file__).parents[3]
HOSTS = """\
all:
  children:
    mems:
      hosts:
        erp2:
        erp1:
          server_provider: lab
    big:
      hosts:
        erp1:
"""


def write(folder: Path, **files: str) -> Path:
    """A customer `c` with these files; `__` stands for a slash."""
    for name, text in files.items():
        file = folder / "c" / f"{name.replace('__', '/')}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def problem_of(inventories: Path) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        read(inventories, "c")
    (problem,) = caught.value.problems
    assert problem.mend
    return problem


def test_the_demo_customers() -> None:
    """The demo customers are those with a hosts.yml; each has one lab server in the group `mems`."""
    assert customers(REPOSITORY / "inventories") == ["acme", "globex"]
    for customer in ("acme", "globex"):
        (server,) = read(REPOSITORY / "inventories", customer).servers
        assert (server.name, server.provider, server.groups) == (f"{customer}-erp1", "lab", ("mems",))
        assert server.variables["amc_contract"]["customer"] == customer


def test_what_customers_share_is_no_customer(tmp_path: Path) -> None:
    """inventories/provider has servers and is billed to nobody; a folder without hosts.yml is no customer."""
    write(tmp_path, hosts=HOSTS)
    (tmp_path / "provider").mkdir()
    (tmp_path / "provider" / "hosts.yml").write_text(HOSTS)
    (tmp_path / "empty").mkdir()
    assert customers(tmp_path) == ["c"]
    assert owners(tmp_path) == ["c", "provider"]
    assert [server.name for server in read(tmp_path, "provider").servers] == ["erp1", "erp2"]


def test_an_empty_provider_is_told_where_its_servers_belong(tmp_path: Path) -> None:
    """Not below the group of the customers' servers; a folder without hosts.yml is simply not there."""
    (tmp_path / "provider").mkdir()
    assert provider_folder(tmp_path) is None
    (tmp_path / "provider" / "hosts.yml").write_text("all:\n  children:\n    backup_server:\n")
    with pytest.raises(InvalidInput, match=r"children\.backup_server\.hosts"):
        read(tmp_path, "provider")


def test_servers_are_sorted_and_know_their_groups(tmp_path: Path) -> None:
    """Servers are sorted by name, their groups too and without `all`; no provider: a server by SSH."""
    servers = read(write(tmp_path, hosts=HOSTS), "c").servers
    assert [(server.name, server.provider, server.groups) for server in servers] == [
        ("erp1", "lab", ("big", "mems")),
        ("erp2", "", ("mems",)),
    ]


def test_variables_merge_as_ansible_merges_them(tmp_path: Path) -> None:
    """host_vars win over a group's, a group's over all's."""
    write(tmp_path, hosts=HOSTS, group_vars__all__x="{a: 1, b: 1, c: 1}")
    write(tmp_path, group_vars__mems="{b: 2, c: 2}", host_vars__erp1="{c: 3}")
    one, two = read(tmp_path, "c").servers
    assert [one.variables[name] for name in "abc"] == [1, 2, 3]
    assert [two.variables[name] for name in "abc"] == [1, 2, 2]


def test_the_values_are_plain(tmp_path: Path) -> None:
    """Ansible's tags are taken off: the variables can be written as JSON and are exactly str."""
    write(tmp_path, hosts=HOSTS, group_vars__all__x="{a: {b: [text, 1, true, null]}}")
    value = read(tmp_path, "c").servers[0].variables["a"]
    assert json.loads(json.dumps(value)) == {"b": ["text", 1, True, None]}
    assert type(value["b"][0]) is str


def test_no_lookup_runs(tmp_path: Path) -> None:
    """A lookup of a secret stays the text it is: reading a fleet neither makes nor shows a secret."""
    proof = tmp_path / "it-ran"
    lookup = f"{{{{ lookup('pipe', 'touch {proof}') }}}}"
    write(tmp_path, hosts=HOSTS, group_vars__all__secrets=f'password: "{lookup}"\n')
    assert read(tmp_path, "c").servers[0].variables["password"] == lookup
    assert not proof.exists()


def test_files_that_came_later_are_seen(tmp_path: Path) -> None:
    """A worker that lives for weeks sees host_vars and group_vars that came, changed and went since."""
    write(tmp_path, hosts=HOSTS)
    assert "a" not in read(tmp_path, "c").servers[0].variables
    write(tmp_path, host_vars__erp1="a: 1")
    assert read(tmp_path, "c").servers[0].variables["a"] == 1
    write(tmp_path, host_vars__erp1="a: 2")
    assert read(tmp_path, "c").servers[0].variables["a"] == 2
    (tmp_path / "c" / "host_vars" / "erp1.yml").unlink()
    assert "a" not in read(tmp_path, "c").servers[0].variables


def test_an_unknown_customer_names_the_known_ones(tmp_path: Path) -> None:
    """A misspelt customer is told with the list of those that exist."""
    with pytest.raises(InvalidInput) as caught:
        read(write(tmp_path, hosts=HOSTS), "d")
    (problem,) = caught.value.problems
    assert (problem.file, problem.mend) == (tmp_path / "d" / "hosts.yml", "folders with servers: c")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("all:\n  hosts: {a: 1\nb: 2\n", 3, "YAML parsing failed"),
        ("", 0, "empty"),
        ("hello", 0, "should be a dictionary"),
        ("mems:\n  - erp1\n", 0, "not a valid group"),
        (
            HOSTS.replace("      hosts:\n        erp2", "      host:\n        erp2"),
            0,
            "unexpected key (host)",
        ),
        (HOSTS.replace("erp2:", "erp1:"), 6, "duplicate"),
        (HOSTS.replace("erp2:", "12:"), 0, "must be a string"),
        ("all:\n  children:\n    mems:\n", 0, "no server is declared"),
        (HOSTS.replace("provider: lab", "provider: 3"), 0, "server_provider of erp1 is 3"),
    ],
)
def test_a_faulty_hosts_file_names_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """What Ansible refuses or only warns of is a problem, with its line where Ansible gives one."""
    problem = problem_of(write(tmp_path, hosts=text))
    assert problem.file == tmp_path / "c" / "hosts.yml"
    assert words in problem.message
    assert problem.line == line


def test_a_binary_hosts_file_is_refused_in_words(tmp_path: Path) -> None:
    """A file that is no text is a problem whose words can be printed."""
    write(tmp_path, hosts="")
    (tmp_path / "c" / "hosts.yml").write_bytes(bytes(range(256)))
    str(problem_of(tmp_path)).encode()


def test_a_faulty_variables_file_names_itself(tmp_path: Path) -> None:
    """A fault in group_vars is told with that file and its line, not with hosts.yml."""
    problem = problem_of(write(tmp_path, hosts=HOSTS, group_vars__all__x="a: 1\nb: [\n"))
    assert (problem.file, problem.line) == (tmp_path / "c" / "group_vars" / "all" / "x.yml", 3)


def test_ansible_is_silent_and_needs_no_configuration(tmp_path: Path) -> None:
    """From an empty folder, with a fault that Ansible warns of: nothing of it reaches the terminal."""
    write(tmp_path, hosts=HOSTS.replace("erp2:", "erp1:"))
    code = (
        "import sys; from pathlib import Path; from orchestrator.errors import InvalidInput\n"
        "from orchestrator.fleet.read import read\n"
        "try: read(Path(sys.argv[1]), 'c')\n"
        "except InvalidInput: print('refused')"
    )
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path / "elsewhere",
        env={"HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_listing_customers_imports_no_ansible() -> None:
    """Commands that only name customers stay quick: Ansible's half second is paid where servers are read."""
    code = "import sys, orchestrator.fleet.read; sys.exit('ansible' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60, check=True)
