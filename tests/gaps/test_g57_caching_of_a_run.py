"""G57: caching switched for a whole run."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G57",
    "Caching on or off for one run",
    kfp="the client rewrites the tasks of the root; those in loops and conditions keep their own setting",
    here="an option of the run, kept on the server, for all its tasks: on, off, or as the spec says",
)


def texts(gaps, **options):
    view = gaps.submit("g57", {"wanted": "yes"}, **options)
    assert view.state == "SUCCEEDED", view.error
    return {path: task.outputs["text"] for path, task in view.tasks.items() if task.kind == "RUNTIME"}


def same(one, other):
    return {path for path in one if one[path] == other[path]}


def test_the_option_holds_for_every_task(gaps):
    first = texts(gaps)
    assert len(first) == 5
    assert same(first, texts(gaps)) == set(first) - {"unique-2"}
    assert same(first, texts(gaps, enable_cache=False)) == set()
    forced = texts(gaps, enable_cache=True)
    assert same(forced, texts(gaps, enable_cache=True)) == set(first)
