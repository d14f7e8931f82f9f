"""G28: tolerant tasks after loops and importers."""

from __future__ import annotations

from builders.specs import dag, importer, pipeline
from gaps.gap import Gap
from gaps.shells import fail, say

GAP = Gap(
    "G28",
    "Exit tasks and tolerant tasks whose upstream is a loop or an importer",
    kfp="never run, because the hook hangs on a step that such an upstream does not have",
    here="run once their upstream has ended, whatever kind of task it is",
)


def test_they_run(gaps, tmp_path):
    (tmp_path / "data.txt").write_text("data")
    uri = (tmp_path / "data.txt").as_uri()
    flow = pipeline("g28").task("loop", dag({"item": "STRING"}).task("fails", fail()), items='["a", "b"]')
    flow.task("import", importer(uri), {"uri": uri})
    flow.task("after-loop", say("x"), after=["loop"], on_completion=True)
    flow.task("after-import", say("x"), after=["import"], on_completion=True)
    view = gaps.run(flow)
    states = [view.tasks[one].state for one in ("loop", "import", "after-loop", "after-import")]
    assert states == ["FAILED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]
