"""Every placeholder of kfp-semantics 3.1 in every place where a string may stand: what is put in there, left to the place of
execution, refused with a sentence, or left as it is.
"""

from __future__ import annotations

import json

import pytest

from builders.specs import artifact_input, container, importer, pipeline
from builders.worlds import RUN_ID, START_US, World
from headrace_protos.lifecycle import task_id
from headrace_scheduler.engine.commands import Import

CREATED = "2023-11-14T22:13:20Z"
KNOWN = {
    "{{$.inputs.parameters['p']}}": "12",
    "{{$.inputs.artifacts['a'].uri}}": "s3://b/a",
    "{{$.inputs.artifacts['a'].metadata['k']}}": "",
    "{{$.inputs.artifacts['a'].metadata}}": "{}",
    "{{$.pipeline_job_name}}": "my run",
    "{{$.pipeline_job_resource_name}}": f"pipeline-{RUN_ID}",
    "{{$.pipeline_job_uuid}}": RUN_ID,
    "{{$.pipeline_task_name}}": "step",
    "{{$.pipeline_task_uuid}}": task_id(RUN_ID, "step"),
    "{{$.pipeline_job_create_time_utc}}": CREATED,
    "{{$.pipeline_job_schedule_time_utc}}": CREATED,
    "{{$.pipeline_root}}": f"file:///store/pipeline/{RUN_ID}",
    "{{$.workspace_path}}": "/kfp-workspace",
    "{{$.pipeline_google_cloud_project_id}}": "{{$.pipeline_google_cloud_project_id}}",
}
LATE = {
    "{{$}}": "$",
    "{{$.inputs.artifacts['a'].path}}": "inputs.artifacts['a'].path",
    "{{$.inputs.artifacts['a']}}": "inputs.artifacts['a']",
    "{{$.outputs.parameters['o'].output_file}}": "outputs.parameters['o'].output_file",
    "{{$.outputs.artifacts['m'].uri}}": "outputs.artifacts['m'].uri",
    "{{$.outputs.artifacts['m'].path}}": "outputs.artifacts['m'].path",
    "{{$.outputs.artifacts['m'].metadata}}": "outputs.artifacts['m'].metadata",
    "{{$.outputs.artifacts['m'].metadata['k']}}": "outputs.artifacts['m'].metadata['k']",
    "{{$.outputs.artifacts['m']}}": "outputs.artifacts['m']",
    "{{$.outputs.output_file}}": "outputs.output_file",
    "{{$.outputMetadataUri}}": "outputMetadataUri",
}
OF_INPUTS = "{{$.inputs.parameters"
OF_NAMES = "{{$.pipeline_"


def world(**places) -> World:
    """A task with a text in each of these places, that has an input and an output of each kind."""
    step = container(
        ["run", places.get("command", "")],
        [places.get("args", "")],
        image=places.get("image", "busybox"),
        inputs={"p": "NUMBER_DOUBLE", "c": "STRUCT"},
        input_artifacts={"a": "system.Dataset"},
        outputs={"o": "STRING"},
        output_artifacts={"m": "system.Model"},
        env={"V": places.get("env", "")},
        kubernetes={"podMetadata": {"annotations": {"x": places.get("setting", "")}}},
    )
    flow = pipeline().input_artifact("given", "system.Dataset")
    given = {"p": 12, "a": artifact_input("given"), "c": {"k": [places.get("constant", "")]}}
    made = World(flow.task("step", step, given), root_artifacts={"given": "s3://b/a"})
    assert made.now_us == START_US
    return made.run()


@pytest.mark.parametrize(("placeholder", "text"), KNOWN.items())
def test_what_the_engine_knows_is_put_in_everywhere(placeholder, text):
    marked = f"<{placeholder}|{placeholder}>"
    ended = world(command=marked, args=marked, image=f"i:{placeholder}", env=marked, setting=marked)
    launch = ended.launches["step#1"]
    filled = f"<{text}|{text}>"
    assert launch.command[1] == launch.args[0] == launch.env["V"] == [{"t": filled}]
    assert launch.image == f"i:{text}"
    assert launch.settings.annotations == {"x": filled}


@pytest.mark.parametrize(("placeholder", "reference"), LATE.items())
def test_what_the_place_of_execution_knows_is_left_to_it(placeholder, reference):
    marked = f"<{placeholder}>"
    launch = world(command=marked, args=marked, env=marked).launches["step#1"]
    parts = [{"t": "<"}, {"p": reference}, {"t": ">"}]
    assert launch.command[1] == launch.args[0] == launch.env["V"] == parts


@pytest.mark.parametrize("place", ["image", "setting"])
@pytest.mark.parametrize("placeholder", LATE)
def test_what_only_the_place_of_execution_knows_is_refused_where_it_is_needed_before(placeholder, place):
    ended = world(**{place: f"<{placeholder}>"})
    assert ended.outcome == "FAILED"
    error = ended.error("step")
    assert error.reason == "InputResolution"
    assert error.message == f"task 'step': {placeholder} is known only where the task runs and cannot be used here"


@pytest.mark.parametrize("placeholder", [*KNOWN, *LATE])
def test_constants_take_inputs_and_names_of_the_run(placeholder):
    launch = world(constant=f"<{placeholder}>").launches["step#1"]
    own = placeholder.startswith((OF_INPUTS, OF_NAMES)) or placeholder == "{{$.workspace_path}}"
    text = KNOWN[placeholder] if own else placeholder
    assert json.loads(launch.parameters["c"]) == {"k": [f"<{text}>"]}


RESOURCES = {
    "resourceCpuLimit": "{{$.inputs.parameters['p']}}",
    "resourceCpuRequest": "{{$.inputs.parameters['p']}}00m",
    "resourceMemoryLimit": "{{$.inputs.parameters['p']}}Gi",
    "resourceMemoryRequest": "1{{$.inputs.parameters['p']}}Mi",
    "accelerator": {"resourceType": "gpu/{{$.pipeline_task_name}}", "resourceCount": "{{$.inputs.parameters['p']}}"},
}


def test_every_resource_takes_them():
    step = container(["run"], inputs={"p": "NUMBER_INTEGER"}, resources=RESOURCES)
    launch = World(pipeline().task("step", step, {"p": 12})).run().launches["step#1"]
    assert launch.settings.resources == {
        "limits": {"cpu": "12", "memory": "12Gi", "gpu/step": "12"},
        "requests": {"cpu": "1200m", "memory": "112Mi"},
    }


@pytest.mark.parametrize("placeholder", [one for one in KNOWN if "artifacts" not in one])
def test_importers_take_them_in_their_uri_and_metadata(placeholder):
    text = KNOWN[placeholder].replace("step", "load").replace(task_id(RUN_ID, "step"), task_id(RUN_ID, "load"))
    made = importer(f"s3://b/{placeholder}", metadata={"k": [f"<{placeholder}>"]})
    made.input("p", "NUMBER_DOUBLE")
    ended = World(pipeline().task("load", made, {"uri": "unused", "p": 12}))
    ended.tell()
    (asked,) = [one for one in ended.commands if isinstance(one, Import)]
    assert asked.uri == f"s3://b/{text}"
    assert json.loads(asked.metadata_json) == {"k": [f"<{text}>"]}
