"""What notebooks show. Whatever user code wrote is text: no tag, attribute or script of it gets into the notebook's page.

- a run with its tasks, states, times and outputs; big runs are bounded
- figures, confusion matrices and curves as tables; pages in a frame without the notebook's origin; Markdown as text
- while a run goes on: a page drawn again in place, lines where that is asked for, nothing where nobody looks
"""

from __future__ import annotations

import asyncio
import io
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from fixtures.fake_platform import RUN, served
from headrace.api import html, showing
from headrace.client import Client
from headrace.models import Artifact, Attempt, Failure, Progress, Run, Task

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Tags with their attributes, and text, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + "|"


def test_a_run_with_its_tasks_and_outputs():
    run = Run(
        "0190", "FAILED", display_name="train", outputs={"n": [1], "m": "file:///m"}, error=Failure("TaskFailed", "b failed"),
        created_at=BEGIN, finished_at=BEGIN + timedelta(seconds=90),
    )  # fmt: skip
    tasks = [
        Task("a", "SUCCEEDED", kind="DAG", started_at=BEGIN, finished_at=BEGIN + timedelta(seconds=3)),
        Task("a/x", "SUCCEEDED", parent="a", cached=True),
        Task(
            "b",
            "FAILED",
            error=Failure("UserError", "exit 1"),
            started_at=BEGIN,
            finished_at=BEGIN + timedelta(seconds=1),
        ),
    ]
    shown = Tags(html.run(run, tasks, "http://here/#/runs/details/0190"))
    assert "train|" in shown.text
    assert "FAILED" in shown.text
    assert "1m30s" in shown.text
    assert shown.text.index("a|") < shown.text.index("/x".lstrip("/") + "|") < shown.text.index("UserError: exit 1|")
    assert "cached|" in shown.text
    assert "n|[1]|m|file:///m|" in shown.text
    assert (
        "a",
        {"href": "http://here/#/runs/details/0190", "target": "_blank", "rel": "noopener noreferrer"},
    ) in shown.tags


def test_a_big_run_is_bounded():
    tasks = [Task(f"loop[{n}]/t", "SUCCEEDED") for n in range(5_000)]
    shown = html.tasks(tasks)
    assert shown.count("<tr>") == html.ROWS + 1
    assert "… and 4,800 more; all: 5000 succeeded" in shown
    assert html.tasks([]) == ""
    assert "… and 999,800 more; of the first 5,000: 5000 succeeded" in html.tasks(tasks, 1_000_000)


def evil_pages():
    metadata = {EVIL: EVIL, "confusionMatrix": {"rows": EVIL}, "confidenceMetrics": EVIL}
    matrix = {"annotationSpecs": [{"displayName": EVIL}], "rows": [{"row": [EVIL]}]}
    artifact = Artifact(EVIL, EVIL, EVIL, EVIL, metadata=metadata)
    failure = Failure(EVIL, EVIL, log_tail=EVIL)
    task = Task(
        EVIL,
        "FAILED",
        error=failure,
        inputs={EVIL: EVIL},
        outputs={EVIL: [EVIL]},
        attempts=(Attempt(1, EVIL, failure),),
    )
    run = Run(EVIL, "FAILED", display_name=EVIL, error=failure, outputs={EVIL: EVIL})
    return [
        html.run(run, [task], f"javascript:{EVIL}"),
        html.run(run, [task], f"http://{EVIL}"),
        html.progress(Progress("0190", EVIL, {"a": task}), EVIL),
        html.task(task),
        html.artifact(artifact),
        html.artifact(Artifact("t", "m", "t", "u", metadata={"confusionMatrix": matrix})),
        html.artifact(Artifact("t", "m", "t", "u", metadata={"confidenceMetrics": [{"recall": EVIL}]})),
        html.artifact(Artifact("t", "m", "system.Markdown", "u"), EVIL),
        html.artifact(Artifact("t", "m", "system.HTML", "u"), EVIL),
    ]


@pytest.mark.parametrize("page", evil_pages())
def test_nothing_of_the_users_is_markup(page):
    shown = Tags(page)
    assert {tag for tag, _ in shown.tags} <= {
        "div", "b", "a", "span", "code", "table", "thead", "tbody", "tr", "th", "td", "pre", "iframe",
    }  # fmt: skip
    names = {name for _, attributes in shown.tags for name in attributes}
    assert names <= {"style", "href", "target", "rel", "sandbox", "referrerpolicy", "srcdoc"}
    assert all(attributes.get("href", "http").startswith("http") for _, attributes in shown.tags)


def test_a_page_is_shown_in_an_origin_of_its_own():
    shown = Tags(html.artifact(Artifact("t", "page", "system.HTML", "u"), "<b>hi</b>"))
    ((_, frame),) = [one for one in shown.tags if one[0] == "iframe"]
    assert (frame["sandbox"], frame["referrerpolicy"], frame["srcdoc"]) == ("allow-scripts", "no-referrer", "<b>hi</b>")


def test_figures_are_tables():
    matrix = {
        "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
        "rows": [{"row": [9, 1]}, {"row": [2, 8]}],
    }
    curve = [{"confidenceThreshold": 0.5, "falsePositiveRate": 0.1, "recall": 0.9}]
    shown = Tags(html.artifact(Artifact("t", "m", "system.Metrics", "u", metadata={"accuracy": 0.97})))
    assert "accuracy|0.97|" in shown.text
    shown = Tags(
        html.artifact(Artifact("t", "m", "c", "u", metadata={"confusionMatrix": matrix, "confidenceMetrics": curve}))
    )
    assert "cat|dog|cat|9|1|dog|2|8|" in shown.text
    assert "threshold|false positives|true positives|0.5|0.1|0.9|" in shown.text
    shown = Tags(
        html.artifact(
            Artifact(
                "t",
                "m",
                "c",
                "u",
                metadata={"confusionMatrix": {"struct": matrix}, "confidenceMetrics": {"list": curve}},
            )
        )
    )
    assert "cat|dog|" in shown.text
    assert "0.5|0.1|0.9|" in shown.text


def test_the_objects_show_themselves(monkeypatch):
    with served() as (address, _), Client(token="") as client:
        client._inner._connection.found = address
        run = client.runs.get(RUN)
        assert f"{address.http}/#/runs/details/{RUN}" in run._repr_html_()
        assert "a &lt;run&gt;" in run._repr_html_()
        assert "train" in run.tasks._repr_html_()
        assert "train" in run.tasks["train"]._repr_html_()
        assert "file:///store/x" in run.artifacts[0]._repr_html_()
        page = run.outputs["model"]
        page._inner._record = Artifact("", "model", "system.HTML", "u")
        assert 'srcdoc="weights"' in page._repr_html_()


# ---- while a run goes on

SEEN = Progress("0190", "RUNNING", {"a": Task("a", "RUNNING")}, (Task("a", "RUNNING"),))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def shown_by(progress, monkeypatch, out, err) -> str:
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    async with showing.showing(progress, "title") as show:
        if show is not None:
            show(SEEN)
            await asyncio.sleep(0)
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize(
    ("progress", "out", "err", "says"),
    [
        (None, Terminal, Terminal, "title running"),
        (None, io.StringIO, Terminal, ""),
        (None, Terminal, io.StringIO, ""),
        (False, Terminal, Terminal, ""),
        (True, io.StringIO, io.StringIO, "a  running\n"),
    ],
)
async def test_progress_is_shown_where_somebody_looks(progress, out, err, says, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    said = await shown_by(progress, monkeypatch, out(), err())
    assert says in said
    assert bool(said) is bool(says)


class Handle:
    def __init__(self, drawn) -> None:
        self.drawn = drawn

    def update(self, data, raw):
        self.drawn.append(data)


@pytest.fixture
def notebook(monkeypatch):
    """What a kernel's process looks like to us; the pages that it was given."""
    drawn = []

    def display(data, *, raw, display_id):
        drawn.append(data)
        return Handle(drawn)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return drawn


async def test_a_notebooks_page_is_drawn_again_in_place(notebook, monkeypatch):
    assert await shown_by(None, monkeypatch, io.StringIO(), io.StringIO()) == ""
    assert [one["text/plain"] for one in notebook] == ["title RUNNING", "title RUNNING"]
    assert "RUNNING" in notebook[-1]["text/html"]


async def test_a_notebook_shows_nothing_where_it_is_not_wanted(notebook, monkeypatch):
    await shown_by(False, monkeypatch, io.StringIO(), io.StringIO())
    assert notebook == []


def test_a_shell_without_a_kernel_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=SimpleNamespace))
    assert showing.notebook_display() is None
