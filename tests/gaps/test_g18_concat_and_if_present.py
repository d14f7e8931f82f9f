"""G18: Concat and IfPresent."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G18",
    "Concat, and IfPresent in one another",
    kfp="Concat stays JSON text, a nested IfPresent is an error, one that names an output stays JSON text, artifacts never "
    "count as present",
    here="nested at will, in commands and arguments, with outputs and for artifacts",
)


def words(view, task):
    assert view.state == "SUCCEEDED", view.error
    return view.tasks[task].outputs["said"].rstrip(",").split(",")


def test_what_is_absent_takes_the_other_branch(gaps):
    assert words(gaps.run("g18", bucket="b"), "join") == ["s3://b/none?n=3", "--no-text", "--no-data"]


def test_what_is_present_is_put_in(gaps):
    joined, *rest = words(gaps.run("g18", bucket="b"), "join-2")
    assert (joined, rest[:3]) == ("s3://b/given?n=3", ["--text", "given", "--data"])
    assert rest[3].startswith("at:/")
