"""Rules of alerts and the dashboard, by Prometheus's own tool; each name in them is one that is kept."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[2] / "roles"
RULES = ROLES / "monitoring_server/files/rules"
DASHBOARDS = ROLES / "monitoring_server/files/dashboards"
NAME = re.compile(r'\b(?:mems|node|pg|server:)[a-zA-Z0-9_:]*|(?<![\w$"])up\b')
ALWAYS = {"up"}


def promtool(*words: object) -> tuple[int, str]:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rules() -> list[dict]:
    groups = yaml.safe_load((RULES / "mems.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[tuple[str, str]]:
    """(where it stands, expression) of every panel, annotation and variable of the dashboards."""
    found = []
    for path in DASHBOARDS.glob("*.json"):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            found += [(panel["title"], target["expr"]) for target in panel["targets"]]
        found += [(each["name"], each["expr"]) for each in board["annotations"]["list"]]
        for each in board["templating"]["list"]:
            if each["type"] == "query":
                series = re.fullmatch(r"label_values\((.+), \w+\)", each["query"])
                assert series, each["query"]
                found.append((each["name"], series[1]))
    return found


def filled(expression: str) -> str:
    """As Grafana asks: its variables replaced."""
    return (
        expression.replace("$__rate_interval", "1m").replace("$server", "erp1").replace("$customer", "acme")
    )


def names(expression: str) -> set[str]:
    """The series that it reads; what stands in quotes is none."""
    return set(NAME.findall(re.sub(r'"[^"]*"', '""', expression)))


def kept() -> Iterator[re.Pattern[str]]:
    """What role monitor lets through, for M EMS by the names that its exporter gives; and recorded series."""
    settings = yaml.safe_load((ROLES / "monitor/vars/main.yml").read_text())
    programs = "".join(path.read_text() for path in (ROLES / "monitor/files").glob("*.py"))
    ours = set(re.findall(r'"(mems_[a-z_]+)"', programs))
    ours |= {f"{name}_{suffix}" for name in ours for suffix in ("bucket", "sum", "count")}
    recorded = [rule["record"] for rule in rules() if "record" in rule]
    for pattern in [*settings["monitor_keep_node"], *settings["monitor_keep_postgres"], *ours, *recorded]:
        yield re.compile(pattern)


@pytest.mark.parametrize("file", sorted(path.name for path in RULES.glob("*.test.yml")))
def test_the_rules_do_what_their_tests_say(file: str) -> None:
    code, said = promtool("test", "rules", RULES / file)
    assert code == 0, said


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    """And says whom it is for, what happened and what to do."""
    tests = [
        each
        for file in RULES.glob("*.test.yml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for each in test.get("alert_rule_test", [])
    ]
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert {each["alertname"] for each in tests if each["exp_alerts"]} == set(alerts)
    for name, rule in alerts.items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert set(rule["annotations"]) == {"summary", "todo"}, name


def test_a_rule_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The tool is asked for real: another threshold fails the tests."""
    (tmp_path / "mems.yml").write_text((RULES / "mems.yml").read_text().replace("> 0.3 and", "> 3 and"))
    (tmp_path / "mems.test.yml").write_text((RULES / "mems.test.yml").read_text())
    code, said = promtool("test", "rules", tmp_path / "mems.test.yml")
    assert code == 1
    assert "MemsSlow" in said


def test_rules_and_dashboard_read_only_what_is_kept() -> None:
    """A name that nobody tells would be an alert that never fires, and an empty panel."""
    patterns = list(kept())
    expressions = [(rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules()] + panels()
    for where, expression in expressions:
        read = names(expression) - ALWAYS
        assert read or "up" in names(expression) or "ALERTS" in expression, where
        strange = {name for name in read if not any(pattern.fullmatch(name) for pattern in patterns)}
        assert not strange, where


def test_every_expression_of_the_dashboard_can_be_asked(tmp_path: Path) -> None:
    """Prometheus parses each; the file is what Grafana imports."""
    rules = [
        {"record": f"dashboard:panel{number}", "expr": filled(expression)}
        for number, (_, expression) in enumerate(panels())
    ]
    assert len(rules) > 15
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, said = promtool("check", "rules", tmp_path / "rules.yml")
    assert code == 0, said
    for path in DASHBOARDS.glob("*.json"):
        board = json.loads(path.read_text())
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
