"""G24: placeholders in the environment, the image and resources; the SDK has no word for most of these."""

from __future__ import annotations

from builders.specs import container, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G24",
    "Placeholders in variables, images and resources",
    kfp="never filled in variables; images and resources take one whole placeholder of a text, no number and no part",
    here="filled anywhere in them, numbers too",
)
TYPES = {"rate": "NUMBER_DOUBLE", "count": "NUMBER_INTEGER", "version": "STRING", "cpu": "NUMBER_DOUBLE"}
GIVEN = {"rate": 0.5, "count": 3, "version": "0.1", "cpu": 4096}


def flow(**given):
    step = container(
        ["sh", "-ec", 'printf "%s;%s" "$SAID" "$JOB" > "$0"', OUTPUT],
        image="busybox:{{$.inputs.parameters['version']}}",
        inputs=TYPES,
        outputs={"Output": "STRING"},
        env={
            "SAID": "rate={{$.inputs.parameters['rate']}} n={{$.inputs.parameters['count']}}",
            "JOB": "{{$.pipeline_task_name}}",
        },
        resources={
            "resourceCpuLimit": "{{$.inputs.parameters['cpu']}}",
            "resourceMemoryLimit": "{{$.inputs.parameters['count']}}Mi",
        },
    )
    return pipeline().task("step", step, GIVEN | given).returns("Output", "step")


def test_variables_take_inputs_of_any_type(gaps):
    view = gaps.run(flow())
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "rate=0.5 n=3;step"})


def test_images_take_parts_and_resources_numbers(gaps):
    run_id = gaps.start(flow())
    gaps.view(run_id)
    (task,) = gaps.client.tasks(run_id)
    warnings = " ".join(task.attempts[0].warnings)
    assert "the image busybox:0.1 is not used on this machine" in warnings
    assert "asks for 4096 CPUs" in warnings


def test_what_becomes_no_quantity_is_said(gaps):
    step = container(
        ["true"], inputs={"cpu": "STRING"}, resources={"resourceCpuLimit": "{{$.inputs.parameters['cpu']}}"}
    )
    view = gaps.run(pipeline().task("step", step, {"cpu": "lots"}))
    assert view.tasks["step"].error == "the CPU limit: 'lots' is no quantity; write one such as '500m', '2' or '1.5Gi'"
