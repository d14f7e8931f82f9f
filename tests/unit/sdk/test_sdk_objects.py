"""The client's objects against a platform of constants, by the blocking face; the asyncio face is the code underneath.

- submit, resume: arguments by name are checked and sorted, experiments found by name or made, what is not given is not sent
- runs, tasks, artifacts: plain values as last answered, the rest asked for; each mistake is a sentence
- who calls: token, namespace, deadlines; the stubs themselves
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import threading

import pytest

import headrace
from fixtures.fake_platform import EXPERIMENT, OTHER, PIPELINE, RUN, VERSION, served
from headrace import errors
from headrace.api.runner import Shared
from headrace.async_client import AsyncClient
from headrace.client import Client, LogLine
from headrace.compiler.package import Package
from headrace.models import ArtifactFile
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2, runs_pb2

SPEC = {
    "pipelineInfo": {"name": "flow"},
    "root": {
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER"},
                "lr": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1},
                "tags": {"parameterType": "LIST", "isOptional": True},
                "fast": {"parameterType": "BOOLEAN", "isOptional": True},
            },
            "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}, "isOptional": True}},
        }
    },
}


@pytest.fixture
def platform():
    with served() as found:
        yield found


@pytest.fixture
def asked(platform):
    return platform[1]


@pytest.fixture
def client(platform):
    with Client(token="", namespace="team") as made:
        made._inner._connection.found = platform[0]
        yield made


@pytest.fixture
def run(client):
    return client.runs.get(RUN)


# ---- submitting


def test_arguments_go_by_name(client, asked, run):
    model = run.artifacts[0]
    made = client.submit(Package(SPEC), epochs=3, tags=("a",), data=model, experiment="new", display_name="d")
    client.submit(SPEC, {"epochs": 2.0}, lr=1, data="s3://b/x", enable_cache=False, request_id="once")
    client.submit(b"yaml", anything=1)
    first, second, third = asked.of("Submit")
    assert (made.id, made.state, made.url) == (RUN, "PENDING", f"http://127.0.0.1:8888/#/runs/details/{RUN}")
    assert (json.loads(first.parameters_json), dict(first.root_artifacts)) == (
        {"epochs": 3, "tags": ["a"]},
        {"data": "file:///store/x"},
    )
    assert (first.namespace, first.experiment_id, first.display_name) == ("team", EXPERIMENT, "d")
    assert (json.loads(second.parameters_json), dict(second.root_artifacts)) == (
        {"epochs": 2.0, "lr": 1},
        {"data": "s3://b/x"},
    )
    assert (second.enable_cache, second.request_id, second.experiment_id) == (False, "once", "")
    assert (third.package, json.loads(third.parameters_json)) == (b"yaml", {"anything": 1})
    assert asked.experiments == ["new"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": 3, "epochs": 1}, "pipeline 'flow' has no parameter 'epoch'; did you mean 'epochs'?"),
        (
            {"zzz": 3, "epochs": 1},
            "pipeline 'flow' has no parameter 'zzz'; it takes 'epochs', 'lr', 'tags', 'fast' and 'data'",
        ),
        ({}, "pipeline 'flow' needs 'epochs'; give it by name"),
        ({"epochs": "three"}, "pipeline 'flow' takes 'epochs' as int, not 'three' (str)"),
        ({"epochs": 1.5}, "pipeline 'flow' takes 'epochs' as int, not 1.5 (float)"),
        ({"epochs": True}, "pipeline 'flow' takes 'epochs' as int, not True (bool)"),
        ({"epochs": 1, "fast": 1}, "pipeline 'flow' takes 'fast' as bool, not 1 (int)"),
        ({"epochs": 1, "lr": "x" * 90}, f"pipeline 'flow' takes 'lr' as float, not '{'x' * 56}... (str)"),
        ({"epochs": 1, "data": 7}, "'data' is an artifact; give its URI, or an artifact of another run, not int"),
        (
            {"epochs": 1, "tags": [object]},
            "parameter 'tags' cannot be sent (Object of type type is not JSON serializable); "
            "give text, numbers, booleans, lists and dicts of them",
        ),
        (
            {"lr": "x"},
            "pipeline 'flow' needs 'epochs'; give it by name; pipeline 'flow' takes 'lr' as float, not 'x' (str)",
        ),
    ],
)
def test_an_argument_that_does_not_fit_is_a_sentence(client, asked, given, sentence):
    with pytest.raises(errors.BadInput) as caught:
        client.submit(Package(SPEC), **given)
    assert str(caught.value) == sentence
    assert asked.of("Submit") == []


def test_a_pipeline_that_takes_nothing(client):
    with pytest.raises(errors.InvalidParameters) as caught:
        client.submit({"root": {}}, x=1)
    assert str(caught.value) == "the pipeline has no parameter 'x'; it takes nothing"
    assert [str(one) for one in caught.value.problems] == [str(caught.value)]


@pytest.mark.parametrize(
    ("give", "sentence"),
    [
        (lambda c: c.submit(SPEC, {"epochs": 1}, epochs=2), "'epochs' is given twice: among the parameters, and by name"),
        (
            lambda c: c.submit(None),
            "give a pipeline first: a function decorated with @dsl.pipeline, a path, the file's bytes or a spec",
        ),
        (lambda c: c.submit(SPEC, 3), "the pipeline's arguments are a mapping, not int; or give them by name"),
        (
            lambda c: c.runs.list(state="DONE"),
            "no run is in a state 'DONE'; there are PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED, CANCELED",
        ),
        (lambda c: c.submit("no/where.yaml"), "there is no file no/where.yaml"),
        (lambda c: c.submit("flow.py"), "flow.py is Python; give its pipeline function, or a file that it was compiled to"),
        (
            lambda c: c.submit(served),
            "served is no pipeline; give a function decorated with @dsl.pipeline, a path, the file's bytes or a spec",
        ),
        (
            lambda c: c.submit(3),
            "int is no pipeline; give a function decorated with @dsl.pipeline, a path, the file's bytes or a spec",
        ),
        (lambda c: c.submit({"root": {1, 2}}), "the spec is no JSON document: Object of type set is not JSON serializable"),
        (lambda c: c.runs.get(OTHER), f"Run {OTHER} not found"),
        (
            lambda c: c.experiments.get("vizion"),
            "there is no experiment 'vizion'; `headrace experiments list` shows those that there are",
        ),
        (
            lambda c: c.runs.list(experiment="vizion"),
            "there is no experiment 'vizion'; `headrace experiments list` shows those that there are",
        ),
        (
            lambda c: c.pipelines.get("flaw"),
            "there is no pipeline 'flaw'; `headrace pipelines list` shows those that there are",
        ),
        (
            lambda c: c.pipelines.get("flow").version("v9"),
            "the pipeline has no version 'v9'; `headrace pipelines get` lists those that it has",
        ),
        (lambda c: c.runs.get(RUN).tasks["trian"], "there is no task 'trian'; did you mean 'train'?"),
        (lambda c: c.runs.get(RUN).tasks["zzz"], "there is no task 'zzz'; there are train, odd, gone, late"),
        (lambda c: c.runs.get(RUN).tasks[:0]["zzz"], "there is no task 'zzz'; the run has none yet"),
        (lambda c: c.runs.get(RUN).artifacts[4].files(), "nothing is stored at file:///store/none"),
        (
            lambda c: c.runs.get(RUN).artifacts[0].read(limit=3),
            "train/model has more than 3 bytes; use download() or open(), or a higher limit",
        ),
        (
            lambda c: c.runs.get(RUN).artifacts[1].open("c").seek(0, io.SEEK_END),
            "<Artifact train/tree (system.Model) file:///store/x> has no file 'c'; it has a, below/b",
        ),
        (lambda c: c.runs.get(RUN).artifacts[0].open().seek(-1), "cannot seek to -1, before the file's begin"),
    ],
)  # fmt: skip
def test_each_mistake_is_a_sentence(client, give, sentence, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.HeadraceError) as caught:
        give(client)
    assert str(caught.value) == sentence


def test_stored_pipelines_are_run(client, asked):
    pipeline = client.pipelines.get("flow")
    client.submit(pipeline, x=1)
    client.submit(pipeline.latest)
    assert [one.pipeline_version_id for one in asked.of("Submit")] == [VERSION, VERSION]


def test_what_the_platform_says_of_a_pipeline(client):
    found = client.validate(SPEC)
    assert ([str(one) for one in found.problems], found.tasks) == (["root: is empty"], 2)


# ---- runs


def test_a_run_says_what_it_is(client, run, asked):
    assert (run.id, run.state, run.ended, run.pipeline_name, run.experiment_id) == (
        RUN,
        "SUCCEEDED",
        True,
        "flow",
        EXPERIMENT,
    )
    assert (run.parameters, run.created_at.year, run.archived, run.resumed_from) == ({"x": 1}, 1970, False, "")
    assert repr(run) == f"<Run {RUN} SUCCEEDED 'a <run>'>"
    assert run.wait() is run
    assert run.archive() is run
    assert run.archived
    assert run.unarchive() is run
    assert run.terminate(run_exit_tasks=True).state == "CANCELING"
    assert run.retry().state == "RUNNING"
    run.delete()
    assert asked.of("Terminate")[0].run_exit_tasks
    assert [one.run_id for one in asked.of("Delete")] == [RUN]
    experiment = client.experiments.create("e")
    found = client.runs.list(limit=2, state="FAILED", archived=False, experiment=experiment)
    assert [one.id for one in found] == [RUN, OTHER]
    asked_for = asked.of("List")[0]
    assert (asked_for.experiment_id, asked_for.namespace) == (EXPERIMENT, "team")
    assert [(one.field, list(one.values)) for one in asked_for.page.predicates] == [
        ("state", ["FAILED"]),
        ("storage_state", ["AVAILABLE"]),
    ]


def test_outputs_are_whole_and_artifacts_are_objects(run):
    found = run.outputs
    assert (found["n"], found["big"]) == ([1, None], ["whole"])
    assert found["model"].read() == b"weights"
    assert [one.uri for one in found["many"]] == ["file:///store/model", "file:///store/tree"]
    assert (found["model"].task, found["many"][1].record.index) == ("", 1)


def test_a_task_says_what_it_is(run):
    tasks = run.tasks
    assert (len(tasks), tasks.paths, [one.path for one in tasks[1:3]]) == (
        4,
        ["train", "odd", "gone", "late"],
        ["odd", "gone"],
    )
    assert "train" in tasks
    assert tasks._ipython_key_completions_() == tasks.paths
    assert tasks[0] in tasks
    assert repr(tasks) == "<4 tasks: train: SUCCEEDED, odd: RUNNING, gone: SUCCEEDED, late: PENDING>"
    assert repr(tasks[:1]) == "<1 task: train: SUCCEEDED>"
    task = tasks["train"]
    assert (task.state, task.ended, task.kind, task.display_name, task.error) == (
        "SUCCEEDED",
        True,
        "RUNTIME",
        "train",
        None,
    )
    assert [one.number for one in task.attempts] == [1]
    assert (task.inputs["x"], task.inputs["big"], task.inputs["data"].name) == (1, ["whole"], "data")
    assert (task.outputs["n"], [one.name for one in task.artifacts]) == ([1, None], ["many", "many", "model"])
    assert list(task.logs()) == ["first", "secönd", "last"]
    assert [len(line) for line in tasks["odd"].logs()] == [1, 65_536, 34_464]
    assert task.refresh() is task
    assert repr(task) == "<Task train SUCCEEDED>"


def test_the_logs_of_a_run_are_lines_with_their_tasks(run):
    lines = list(run.logs())
    assert lines[:3] == [LogLine("train", "first"), LogLine("train", "secönd"), LogLine("train", "last")]
    assert {line.task for line in lines} == {"train", "odd"}
    assert str(lines[0]) == "train  first"


def test_logs_are_followed_while_a_run_goes_on(run, asked):
    asked.state = ev.RUN_RUNNING
    following = run.logs(follow=True)
    first = next(following)
    asked.state = ev.RUN_SUCCEEDED
    assert [first, *following] == [LogLine("train", "first"), LogLine("train", "secönd"), LogLine("train", "last")]


def test_a_log_that_cannot_be_followed_is_an_error(run, asked):
    asked.state, asked.fails = ev.RUN_RUNNING, {"Logs": "INTERNAL"}
    with pytest.raises(errors.PlatformFault, match="Logs is refused"):
        list(run.logs(follow=True))


def test_a_failed_run_is_an_error_where_that_is_asked_for(client, asked):
    asked.state = ev.RUN_FAILED
    run = client.runs.get(RUN).wait()
    assert run.state == "FAILED"
    with pytest.raises(errors.RunFailed) as caught:
        run.wait(check=True)
    assert str(caught.value) == f"run {RUN} FAILED: train: UserError: exit <1>; {run.url}"


def test_waiting_has_an_end_and_tells_what_goes_on(run, asked):
    asked.state = ev.RUN_RUNNING
    seen = []
    with pytest.raises(errors.WaitTimeout) as caught:
        run.wait(timeout=0.5, progress=lambda one: seen.append((one.state, dict(one.tasks))))
    assert str(caught.value) == f"run {RUN} has not ended within 0.5 s; it goes on"
    assert seen[0][1]["train"].state == "RUNNING"
    assert next(run.watch()).state == "RUNNING"


def test_a_run_goes_on_in_another(run, asked):
    other = run.resume(SPEC, lr=0.5, from_tasks=["train"])
    run.resume()
    first, second = asked.of("Resume")
    assert (other.id, other.resumed_from) == (OTHER, RUN)
    assert (list(first.from_tasks), json.loads(first.parameters_json)) == (["train"], {"lr": 0.5})
    second.request_id = ""
    assert second == runs_pb2.ResumeRequest(run_id=RUN)
    with pytest.raises(errors.InvalidParameters, match="has no parameter 'epoch'; did you mean 'epochs'"):
        run.resume(SPEC, epoch=1)


# ---- artifacts


def test_a_file_is_read_and_downloaded(run, tmp_path):
    model = run.artifacts[0]
    assert (model.id, model.type, model.uri, model.size, model.digest) == (
        "id-x",
        "system.Model",
        "file:///store/x",
        7,
        "sha256:0",
    )
    assert model.files() == [ArtifactFile("", 7)]
    assert (model.read(), b"".join(model.stream(offset=1, limit=3))) == (b"weights", b"eig")
    assert model.download(tmp_path / "new" / "m") == tmp_path / "new" / "m"
    assert model.download(str(tmp_path)) == tmp_path / "x"
    assert model.download(tmp_path / "new" / "m").read_bytes() == (tmp_path / "x").read_bytes() == b"weights"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["m", "new", "x"]


def test_a_file_is_opened_like_any_other(run):
    with run.artifacts[0].open() as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert (file.read(2), file.tell(), file.seek(-2, io.SEEK_END), file.read()) == (b"we", 2, 5, b"ts")
        assert (file.read(), file.seek(0), file.read(100)) == (b"", 0, b"weights")
    assert io.TextIOWrapper(run.artifacts[1].open("below/b")).read() == "22"


def test_a_folder_is_downloaded_whole_and_replaced(run, tmp_path):
    tree = run.artifacts[1]
    assert tree.read("below/b") == b"22"
    for _ in range(2):
        made = tree.download(tmp_path / "t" if not (tmp_path / "x").exists() else tmp_path)
        assert {str(p.relative_to(made)): p.read_bytes() for p in made.rglob("*") if p.is_file()} == {
            "a": b"one",
            "below/b": b"22",
        }
        (made / "old").touch()
        (tmp_path / "x").mkdir(exist_ok=True)
    assert run.artifacts[3].download(tmp_path / "empty").is_dir()


def test_a_download_replaces_no_pipe_and_by_a_file_no_folder(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "into" / "x").mkdir(parents=True)
    (tmp_path / "into" / "x" / "mine").touch()
    for place, sentence in (
        ("pipe", "pipe is neither a file nor a folder; name another place"),
        ("into", "into/x is a folder already; name another place, or move it away"),
    ):
        with pytest.raises(errors.BadInput) as caught:
            run.artifacts[0].download(tmp_path / place)
        assert str(caught.value) == f"{tmp_path}/{sentence}"
    with pytest.raises(errors.BadInput):
        run.artifacts[1].download(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["into", "mine", "pipe", "x"]


def test_a_name_may_be_as_long_as_the_disk_takes(run, tmp_path):
    assert run.artifacts[0].download(tmp_path / ("n" * 255)).read_bytes() == b"weights"


def test_no_name_leads_out_of_the_folder(run, tmp_path):
    with pytest.raises(errors.BadInput) as caught:
        run.artifacts[2].download(tmp_path / "here" / "t")
    assert (
        str(caught.value)
        == "the artifact has a file named '../out', which would lie outside its folder; it is not downloaded"
    )
    assert list(tmp_path.rglob("*")) == [tmp_path / "here"]


# ---- experiments, pipelines


def test_the_life_of_an_experiment(client, asked):
    made = client.experiments.create("vision", "of cats")
    assert (made.id, made.name, made.description, made.archived, made.created_at) == (
        EXPERIMENT,
        "vision",
        "of cats",
        False,
        None,
    )
    asked.experiments.append("speech")
    assert [one.name for one in client.experiments.list()] == ["vision", "speech"]
    assert [one.name for one in client.experiments.list(limit=1)] == ["vision"]
    assert client.experiments.get(EXPERIMENT).id == client.experiments.get("vision").id
    assert made.archive() is made
    assert made.archived
    assert repr(made) == f"<Experiment {EXPERIMENT} 'vision' archived>"
    made.unarchive().delete()
    assert {name for name, _ in asked.requests} >= {"UnarchiveExperiment", "DeleteExperiment"}


def test_an_experiment_that_somebody_else_made_meanwhile(client, asked):
    asked.fails["CreateExperiment"] = "ALREADY_EXISTS"
    with pytest.raises(errors.NotFound, match="there is no experiment 'new'"):  # gone again: it is said, not hidden
        client.submit(b"x", experiment="new")


def test_the_life_of_a_pipeline(client, asked):
    made = client.pipelines.upload(Package(SPEC, {"platforms": {}}), "flow", tags={"a": "b"})
    assert (made.id, made.name, dict(made.tags)) == (PIPELINE, "flow", {"a": "b"})
    (sent,) = asked.of("Upload")
    assert json.loads(sent.spec_json) == {"pipeline_spec": SPEC, "platform_spec": {"platforms": {}}}
    assert (sent.name, dict(sent.tags), sent.namespace, sent.pipeline_id) == ("flow", {"a": "b"}, "team", "")
    version = made.upload(b"yaml", "v1")
    assert asked.of("Upload")[1].pipeline_id == PIPELINE
    assert (version.id, version.pipeline_id, version.name) == (VERSION, PIPELINE, "v1")
    assert version.spec == {"root": {"n": 2**62 + 1}}
    assert [one.id for one in (*made.versions(), made.latest, made.version("v1"), made.version(VERSION))] == [
        VERSION
    ] * 4
    version.delete()
    made.delete(versions=True)
    assert asked.of("DeletePipeline")[0].cascade
    assert [one.name for one in client.pipelines.list()] == ["flow"]
    assert client.pipelines.create("flow").id == client.pipelines.get(PIPELINE).id


# ---- who calls, and from where


def test_the_token_and_the_deadline_go_with_every_call(platform, monkeypatch):
    monkeypatch.setenv("HEADRACE_TOKEN", "s3cret")
    monkeypatch.setenv("HEADRACE_NAMESPACE", "from-env")
    address, asked = platform
    with Client() as client:
        client._inner._connection.found = address
        client.submit(b"x")
        assert "s3cret" not in repr(client) + repr(client._inner._connection)
        with client.with_raw() as raw:
            assert raw.runs.Get(run_query_pb2.GetRunRequest(run_id=RUN)).run_id == RUN
            assert raw.runs.Get.future(run_query_pb2.GetRunRequest(run_id=RUN)).result().run_id == RUN
            assert raw.runs.Get.with_call(run_query_pb2.GetRunRequest(run_id=RUN), timeout=5)[0].run_id == RUN
            assert len(list(raw.runs.Logs(runs_pb2.LogsRequest(run_id=RUN, path="train")))) == 4
    assert asked.metadata["authorization"] == "Bearer s3cret"
    assert asked.of("Submit")[0].namespace == "from-env"
    assert 50 < asked.deadlines["Submit"] < 61
    assert 0 < asked.deadlines["Get"] <= 6
    assert asked.deadlines["Logs"] is None or asked.deadlines["Logs"] > 10**6


async def test_the_stubs_of_the_asyncio_face(platform):
    async with AsyncClient(token="t") as client:
        client._connection.found = platform[0]
        async with client.with_raw() as raw:
            assert (await raw.runs.Get(run_query_pb2.GetRunRequest(run_id=RUN))).run_id == RUN
            assert {one.attempt async for one in raw.runs.Logs(runs_pb2.LogsRequest(run_id=RUN, path="train"))} == {1}
            assert (await raw.kfp_runs.ArchiveRun(raw_archive())).ByteSize() == 0
    assert platform[1].metadata["authorization"] == "Bearer t"


def raw_archive():
    from headrace_protos.kfp.v2beta1 import run_pb2

    return run_pb2.ArchiveRunRequest(run_id=RUN)


def test_a_token_goes_nowhere_unencrypted():
    from headrace.finding import Address

    with Client(token="s3cret") as client:
        client._inner._connection.found = Address("http://far.example:8888", "far.example:8887")
        with pytest.raises(errors.BadInput) as caught:
            client.runs.get(RUN)
    assert str(caught.value) == (
        "a token would go to far.example:8887 unencrypted; give an https:// address, in a cluster "
        "http://NAME.NAMESPACE.svc:PORT, or no token (HEADRACE_TOKEN, HEADRACE_TOKEN_FILE)"
    )


def test_a_token_that_is_none():
    with pytest.raises(errors.BadInput) as caught:
        Client(token="two words\n")
    assert (
        str(caught.value) == "the token has a character that no token has: a space, a line's end, or one outside ASCII"
    )


async def test_it_works_where_a_loop_is_running(client, asked):
    assert asyncio.get_running_loop()
    assert client.runs.get(RUN).wait().state == "SUCCEEDED"


def test_threads_share_a_client(client):
    found = []
    threads = [threading.Thread(target=lambda: found.append(client.runs.get(RUN).outputs["n"])) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [[1, None]] * 8


def test_the_thread_ends_with_the_last_client(platform, monkeypatch):
    # a thread of the test's own: headrace.local keeps the process's until the process ends
    monkeypatch.setattr("headrace.blocking.client.SHARED", Shared())
    before = set(threading.enumerate())

    def threads():
        return [one for one in set(threading.enumerate()) - before if one.name == "headrace client"]

    with Client(token="") as first:
        with Client(token="") as second:
            second._inner._connection.found = platform[0]
            second.runs.get(RUN)
            assert len(threads()) == 1
        first._inner._connection.found = platform[0]
        first.runs.get(RUN)
    first.close()
    assert threads() == []


def test_a_closed_client_says_so_whether_others_are_open_or_not(client, platform):
    with Client(token="") as closed:
        closed._inner._connection.found = platform[0]
        run = closed.runs.get(RUN)
        begun = run.logs()
        next(begun)
    for call in (run.refresh, lambda: next(begun), closed.runs.list):
        with pytest.raises(errors.HeadraceError) as caught:
            call()
        assert str(caught.value) == "this client is closed; make another one"
    assert client.runs.get(RUN).state == "SUCCEEDED"


def test_no_call_from_within_a_call(client, run):
    said = []

    def progress(_):
        try:
            run.refresh()
        except errors.HeadraceError as wrong:
            said.append(str(wrong))

    run.wait(progress=progress)
    assert set(said) == {
        "the blocking client cannot be used in what it calls itself (progress); do that after wait() has returned"
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_client_does_not_go_through_a_fork(client, run, monkeypatch):
    monkeypatch.setattr(client._runner.on, "pid", 1)  # what a child sees: another process's thread
    with pytest.raises(errors.HeadraceError) as caught:
        run.refresh()
    monkeypatch.undo()
    assert str(caught.value) == "this client was made before the process forked; make another one after the fork"


async def test_an_attribute_that_is_awaited(platform):
    async with AsyncClient(token="") as client:
        client._connection.found = platform[0]
        run = await client.runs.get(RUN)
        assert repr(run.tasks) == "<await this>"
        assert [one.path for one in await run.tasks] == ["train", "odd", "gone", "late"]
        assert (await run.trace).trace_id == RUN.replace("-", "")
        assert re.fullmatch(r"<Client http://127.*>", repr(client))
        async with (await run.artifacts)[0].open() as file:
            assert (await file.read(2), await file.seek(1, io.SEEK_CUR), await file.read(), file.tell()) == (
                b"we",
                3,
                b"ghts",
                7,
            )
            assert (await file.read(0), await file.size()) == (b"", 7)
    assert headrace.AsyncClient is AsyncClient
