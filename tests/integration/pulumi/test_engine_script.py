"""scripts/pulumi with other programs on PATH: which way it takes, and that nothing half-made is taken."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.pulumi.installation import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "pulumi"
ENGINE = "#!/bin/sh\necho v3.259.0\n"
NO_NETWORK = "#!/bin/sh\necho 'curl: (6) Could not resolve host' >&2; exit 6\n"
INSTALLER = """\
#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -o) out=$2 ;; esac; shift; done
cat >"$out" <<'INSTALL'
while [ $# -gt 0 ]; do case $1 in --install-root) root=$2 ;; esac; shift; done
mkdir -p "$root/bin"
for name in pulumi pulumi-language-python; do
    printf '#!/bin/sh\\necho v3.259.0\\n' >"$root/bin/$name"; chmod +x "$root/bin/$name"
done
INSTALL
"""
# Takes its time, says what it builds, and writes what `-o` names.
COMPILER = """\
#!/bin/sh
echo started >>"$BUILDS"
while [ $# -gt 0 ]; do case $1 in -o) out=$2 ;; esac; shift; done
echo internal/abi; sleep "${BUILD_SECONDS:-0}"
printf '#!/bin/sh\\necho v3.259.0\\n' >"$out"; chmod +x "$out"
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def programs(tmp_path: Path) -> Callable[..., None]:
    """Put programs on the script's PATH."""
    (tmp_path / "bin").mkdir()

    def put(**texts: str) -> None:
        for name, text in texts.items():
            file = tmp_path / "bin" / name
            file.write_text(text)
            file.chmod(0o755)

    put(curl=NO_NETWORK)
    return put


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AMC_CACHE": str(tmp_path / "cache"),
        "BUILDS": str(tmp_path / "builds"),
    }


@pytest.fixture
def run(variables: dict[str, str]) -> Run:
    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [SCRIPT, *words],
            env={**variables, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_one_on_path_is_taken(programs: Callable[..., None], run: Run, tmp_path: Path) -> None:
    """When it is of that version; nothing is built."""
    programs(pulumi=ENGINE)
    done = run()
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.strip())
    assert place == tmp_path / "cache/pulumi/3.259.0/bin/pulumi"
    assert place.resolve() == tmp_path / "bin" / "pulumi"
    (tmp_path / "bin" / "pulumi").unlink()
    assert run().returncode == 3


def test_the_official_installer_brings_its_language_host(programs: Callable[..., None], run: Run) -> None:
    """Another version on PATH is left alone."""
    programs(pulumi=ENGINE.replace("259", "300"), curl=INSTALLER)
    done = run()
    assert done.returncode == 0, done.stderr
    assert "echo v3" in (Path(done.stdout.strip()).parent / "pulumi-language-python").read_text()


def test_built_it_has_our_language_host(programs: Callable[..., None], run: Run, tmp_path: Path) -> None:
    """Once; the second call finds it, and a newer host of ours is put in its place."""
    programs(go=COMPILER)
    host = Path(run().stdout.strip()).parent / "pulumi-language-python"
    ours = (REPOSITORY / "pulumi/engine/pulumi-language-python").read_text()
    assert host.read_text() == ours
    host.write_text(ours + "# of an older checkout\n")
    assert run().returncode == 0
    assert host.read_text() == ours
    assert (tmp_path / "builds").read_text() == "started\n"


def test_without_any_of_the_three(run: Run) -> None:
    """Exit code 3, what that means, and what to do."""
    done = run()
    assert (done.returncode, done.stdout) == (3, "")
    assert "Everything but resize works" in done.stderr
    assert "mend: put pulumi 3.259.0 on PATH" in done.stderr
    assert run("--wait").returncode == 3


def test_in_the_background_and_waited_for(programs: Callable[..., None], run: Run, tmp_path: Path) -> None:
    """Returns at once; two that wait get the one that is built."""
    programs(go=COMPILER)
    started = time.monotonic()
    assert run("--background", BUILD_SECONDS="3").returncode == 0
    assert time.monotonic() - started < 2
    while not (tmp_path / "builds").exists():
        assert time.monotonic() - started < 30
        time.sleep(0.05)
    assert run("--background").returncode == 0
    waited = [run("--wait"), run()]
    assert [done.returncode for done in waited] == [0, 0], waited
    assert (tmp_path / "builds").read_text() == "started\n"


def test_what_is_half_made_is_not_taken(
    programs: Callable[..., None], run: Run, variables: dict[str, str], tmp_path: Path
) -> None:
    """Killed with its compiler in the middle: the next call builds anew. A compiler that fails is told."""
    programs(go=COMPILER)
    killed = subprocess.Popen(
        [SCRIPT], env={**variables, "BUILD_SECONDS": "30"}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "builds").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(killed.pid, 9)
    killed.wait()
    assert run().returncode == 0
    assert (tmp_path / "builds").read_text() == "started\nstarted\n"
    (tmp_path / "cache/pulumi/3.259.0/bin/pulumi").write_text("#!/bin/sh\nexit 1\n")
    programs(go="#!/bin/sh\nexit 2\n")
    assert run().returncode == 3


def test_a_chosen_engine_has_to_fit(programs: Callable[..., None], run: Run, tmp_path: Path) -> None:
    """AMC_PULUMI is taken as it is, or refused; never replaced by another."""
    programs(pulumi=ENGINE)
    mine = str(tmp_path / "bin" / "pulumi")
    assert run(AMC_PULUMI=mine).stdout.strip() == mine
    refused = run(AMC_PULUMI="/bin/true")
    assert (refused.returncode, "mend: unset it" in refused.stderr) == (3, True)
    assert run("--faster").returncode == 2
