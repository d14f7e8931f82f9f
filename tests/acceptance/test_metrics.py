"""After real runs on the real platform every metric that the dashboard and the alert rules ask for is told by a service.

- one process for each service, and all in one; labels are words of ours: no id, no name that a user gave
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from builders.promql import expressions, family, selectors
from corpus import driving
from fixtures import counting
from fixtures.platforms import SERVICES, TOPOLOGIES, Platform, running

ADDRESS = re.compile(r"metrics(?: of \w+)?: (http://\S+/metrics)")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{32}")
# What nobody does in this test, so that there is no sample but the metric's name: accelerators, appends that are refused, and
# retention, which keeps everything.
SILENT = {"headrace_accelerator_seconds", "headrace_refused_appends", "headrace_retention_went"}


@pytest.fixture(scope="module", params=TOPOLOGIES)
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(request.param, tmp_path_factory.mktemp("measured") / "home", HEADRACE_METRICS_ADDRESS="0") as platform:
        yield platform


def scrapes(platform: Platform) -> dict[str, str]:
    """What each process tells."""
    names = ["up"] if platform.topology == "embedded" else [name for name in SERVICES if name != "postgres"]
    told = {}
    for name in names:
        found = ADDRESS.search(platform.log(name))
        assert found, platform.log(name)
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            told[name] = answer.read().decode()
    return told


def samples(platform: Platform) -> dict[str, float]:
    """The sum of each metric's samples over all processes; None of those that were only named."""
    found: dict[str, float] = {}
    for text in scrapes(platform).values():
        for metric in text_string_to_metric_families(text):
            for sample in metric.samples:
                assert not any(UUID.search(one) for one in sample.labels.values()), sample
                assert not any("counting" in one or "chain" in one for one in sample.labels.values()), sample
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
            found.setdefault(metric.name, 0.0)
    return found


def test_what_dashboard_and_rules_ask_for_is_told(measured: Platform, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.touch()
    run_id = counting.submit(measured, counting.counting(counter, wide=2, chain=2, seconds=0.1), tmp_path)
    with urllib.request.urlopen(f"{measured.url}/apis/headrace.v1/runs/{run_id}/events", timeout=60) as events:
        assert b"event: end" in events.read()
    for _ in range(2):  # into the cache, and out of it
        done = driving.command("run", str(tmp_path / "run.json"), "--cache", "--endpoint", measured.url)
        assert done.code == 0, done.stderr
    counting.until(
        "gauges of the platform that were read after the run",
        lambda: samples(measured).get("headrace_runs_ended_total", 0) == 3,
        measured,
    )
    told = samples(measured)
    for name, expression in expressions().items():
        for metric, _ in selectors(expression):
            own = family(metric).removesuffix("_total")
            assert metric in told or own in SILENT, f"{name}: {metric} is told by no service"
    assert told["headrace_held_shards"] == 256
    assert told["headrace_tasks_ended_total"] >= 12
    assert told["headrace_attempts_ended_total"] == 8
    assert told["headrace_appended_events_total"] > 20
    for used in ("append", "step", "claim", "grpc_request", "http_request"):
        assert told[f"headrace_{used}_seconds_count"] > 0, used


def test_nothing_listens_unless_it_is_asked_for(platform: Platform) -> None:
    logs = ["up"] if platform.topology == "embedded" else SERVICES
    assert not any(ADDRESS.search(platform.log(name)) for name in logs)
