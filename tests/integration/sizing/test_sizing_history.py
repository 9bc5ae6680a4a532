"""A real Prometheus with a backfilled history: what is read, what is recommended, what the command prints."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.errors import UsageError
from orchestrator.sizing import history, prometheus
from orchestrator.sizing.load import Hourly, Load
from orchestrator.sizing.margins import Margins
from orchestrator.sizing.recommend import recommendations
from orchestrator.sizing.rules import Direction, Recommendation
from tests.integration.sizing.conftest import Served
from tests.unit.sizing.histories import Erp

SERVERS = [f"acme-erp{number}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def loads(served: Served) -> dict[str, Load]:
    with prometheus.connected(served.settings) as connection:
        return history.read(connection, "acme", SERVERS, served.now)


@pytest.fixture(scope="module")
def recommended(served: Served) -> dict[str, Recommendation]:
    return {each.server: each for each in recommendations(served.settings, "acme", served.now)}


def amc(served: Served, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    settings = served.settings
    environment = {
        **os.environ,
        "AMC_HOME": str(settings.home),
        "AMC_INVENTORIES": str(settings.inventories),
        "AMC_PROMETHEUS_URL": settings.prometheus_url,
        "AMC_PROMETHEUS_CA": str(settings.prometheus_ca),
        "AMC_PROMETHEUS_USER": settings.prometheus_user,
        "AMC_PROMETHEUS_PASSWORD_FILE": str(settings.prometheus_password_file),
    }
    program = [sys.executable, "-m", "orchestrator.cli.main", "size", *words]
    return subprocess.run(program, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def test_every_series_comes_back_as_it_was_told(served: Served, loads: dict[str, Load]) -> None:
    """A month of each quantity, hour by hour, equal what was backfilled: units, gaps, ends."""
    told = Erp(days=31, cpus=2, memory_mib=4096, busy=0.1, batch=True).load(served.now).hourly
    tolerance = {"response": 0.05}  # a bucket's width
    for name in Hourly.__dataclass_fields__:
        expected = dict(getattr(told, name)[1:])  # the first hour has no counter before it
        found = {at: value for at, value in getattr(loads["acme-erp2"].hourly, name) if at in expected}
        assert len(found) >= len(expected) - 1, name
        worst = max(abs(value - expected[at]) for at, value in found.items())
        assert worst <= tolerance.get(name, 0.12 * max(expected.values())) + 1e-6, name


def test_a_batch_comes_back_as_peak_and_mean(loads: dict[str, Load]) -> None:
    """Twenty minutes of two CPUs at 02:00 are two CPUs at the peak, and a third of that in the mean."""
    hourly = loads["acme-erp2"].hourly
    peaks = [point for point in hourly.cpu_peak if point.at.hour == 3]
    means = [point for point in hourly.cpu if point.at.hour == 3]
    assert min(point.value for point in peaks) > 1.6
    assert max(point.value for point in means) < 0.9


def test_the_load_of_now_grows_a_server_from_its_history(recommended: dict[str, Recommendation]) -> None:
    """Twelve days at half load keep lab.medium; ten saturated minutes of now make it lab.large."""
    found = recommended["acme-erp1"]
    assert (found.direction, found.recommended and found.recommended.name) == (Direction.UP, "lab.large")
    assert found.saturated_now
    assert "1 CPU of 1 CPU in use, tasks wait for a CPU 50 % of the time" in found.reasons[0]
    assert "(objective 300 ms)" in found.reasons[0]


def test_how_long_a_saturation_must_last_is_asked(served: Served) -> None:
    """Ten minutes do not reach a quarter of an hour: the history alone keeps the size."""
    margins = Margins(acute_for=timedelta(minutes=14))
    (found,) = recommendations(served.settings, "acme", served.now, "acme-erp1", margins)
    assert (found.direction, found.saturated_now) == (Direction.KEEP, False)


def test_28_idle_days_shrink_a_server_by_one_step(recommended: dict[str, Recommendation]) -> None:
    """The nightly batch is told and holds nothing back."""
    found = recommended["acme-erp2"]
    assert (found.direction, found.recommended and found.recommended.name) == (Direction.DOWN, "lab.medium")
    assert any("a batch uses 2 CPUs in the hour from 06:00" in reason for reason in found.reasons)
    assert found.disk and found.disk.gib_per_day == pytest.approx(0.02, rel=0.1)


def test_node_exporter_alone_suffices(loads: dict[str, Load], recommended: dict[str, Recommendation]) -> None:
    """Without M EMS's exporter the kernel's figures count; the data volume's disk, not the root's."""
    hourly = loads["acme-erp3"].hourly
    assert hourly.cpus[-1].value == 2
    assert max(point.value for point in hourly.cpu) == pytest.approx(0.82, abs=0.05)
    assert hourly.disk_size[-1].value == 24 * 1024**3
    found = recommended["acme-erp3"]
    assert (found.direction, found.confidence) == (Direction.KEEP, "medium")
    assert any(each.startswith("no series of response times") for each in found.missing)


def test_too_young_and_unknown_servers_are_unknown(recommended: dict[str, Recommendation]) -> None:
    """Five days, and no day: both say what is missing instead of a size."""
    young, absent = recommended["acme-erp4"], recommended["acme-erp5"]
    assert (young.direction, absent.direction) == (Direction.UNKNOWN, Direction.UNKNOWN)
    assert any("7 are needed" in each for each in young.missing)
    assert absent.missing[0].startswith("there is no series of CPU use")


def test_the_command_prints_reasons_and_json(served: Served) -> None:
    """Words for people, one document for programs; unknown is no failure."""
    done = amc(served, "recommend", "--customer", "acme")
    assert (done.returncode, done.stderr) == (0, "")
    assert "acme-erp1: up lab.medium -> lab.large (confidence:" in done.stdout
    assert "? missing: there is no series of CPU use" in done.stdout
    done = amc(served, "recommend", "--customer", "acme", "--server", "acme-erp2", "--json")
    (document,) = json.loads(done.stdout)
    assert (document["direction"], document["recommended"]["name"]) == ("down", "lab.medium")


def test_the_command_draws_load_against_capacity(served: Served, tmp_path: Path) -> None:
    """In the terminal, as SVG that a browser can read, and as data."""
    words = ("show", "--customer", "acme", "--server", "acme-erp1")
    done = amc(served, *words, "--svg", "load.svg", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "acme-erp1: CPUs (* busiest hour, . mean, - capacity)" in done.stdout
    for name in ("load.svg", "load-2.svg", "load-3.svg"):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")
    (document,) = json.loads(amc(served, *words, "--json").stdout)
    assert {len(line) for chart in document["charts"] for line in chart["lines"].values()} <= {12, 13}


def test_an_unknown_server_is_an_error_of_usage(served: Served) -> None:
    """The names that there are, exit code 2, before anything is asked."""
    nowhere = replace(served.settings, prometheus_url="")
    with pytest.raises(UsageError, match="its servers are: acme-erp1") as caught:
        recommendations(nowhere, "acme", served.now, "acme-erp9")
    assert caught.value.exit_code == 2
