"""`headrace artifacts` about all runs, as lines: trees up and down, each artifact once."""

from __future__ import annotations

from headrace.cli.provenance import difference_lines
from headrace.cli.trees import lineage_lines
from headrace.display.texts import Style
from headrace.models import Artifact
from headrace.provenance import ArtifactRecord, ArtifactUse, Difference, Lineage, LineageTask

PLAIN = Style(colour=False, unicode=True)


def record(number: int, kind: str, uri: str, digest: str = "") -> ArtifactRecord:
    return ArtifactRecord(number, Artifact("", "", f"system.{kind}", uri, digest=digest))


def use(artifact: int, task: int, name: str, *, output: bool = False) -> ArtifactUse:
    return ArtifactUse(artifact, task, "run", "path", name, output=output)


GRAPH = Lineage(
    root=1,
    artifacts={
        1: record(1, "Model", "s3://m", "sha256:0123456789abcdef"),
        2: record(2, "Dataset", "s3://d"),
        3: record(3, "Dataset", "s3://d"),
        4: record(4, "HTML", "s3://h"),
    },
    tasks={
        10: LineageTask(
            10, "r1", "train", "RUNTIME", "SUCCEEDED", "p", code_digest="sha256:" + "c" * 64, image="python:3.11",
            image_digest="sha256:" + "d" * 64, parameters={"lr": 0.1},
        ),
        11: LineageTask(11, "r0", "clean", "RUNTIME", "SUCCEEDED", "q"),
        12: LineageTask(12, "r2", "tell", "RUNTIME", "SUCCEEDED", "p", cached_from="r1/tell"),
    },
    edges=(
        use(1, 10, "model", output=True), use(2, 10, "data"), use(2, 10, "twice"), use(3, 11, "out", output=True),
        use(1, 12, "model"), use(4, 12, "html", output=True),
    ),
    same=((2, 3),),
)  # fmt: skip


def test_a_tree_up_names_code_image_and_parameters_and_shows_nothing_twice():
    assert lineage_lines(GRAPH, "up", PLAIN) == [
        "1  Model  s3://m  sha256:0123456789ab",
        "  made by train  of run r1 (p)  code sha256:cccccccccccc  image python:3.11@sha256:dddddddddddd  lr=0.1",
        "    data: 2  Dataset  s3://d",
        "      put there as 3  Dataset  s3://d",
        "        made by clean  of run r0 (q)",
        "    twice: 2  Dataset  s3://d (above)",
    ]


def test_a_tree_down():
    assert lineage_lines(GRAPH, "down", PLAIN) == [
        "1  Model  s3://m  sha256:0123456789ab",
        "  read by tell  of run r2 (p)  (results of r1/tell)",
        "    html: 4  HTML  s3://h",
    ]


def test_both_ways_and_nothing_known():
    assert "used by" in lineage_lines(GRAPH, "both", PLAIN)
    alone = Lineage(4, {4: GRAPH.artifacts[4]}, {})
    assert lineage_lines(alone, "both", PLAIN)[1:] == ["  nothing is known of what made it", "nothing was made of it"]


def test_a_difference_has_both_sides():
    assert list(difference_lines(Difference("made_by.image", "python:3.11", ""))) == [
        "made_by.image", "  - python:3.11", "  + (nothing)",
    ]  # fmt: skip
