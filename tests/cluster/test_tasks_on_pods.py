"""A task is one Pod, and nothing else is: outputs, logs, control flow, images of every kind."""

from __future__ import annotations

import json

from builders.specs import container, dag, dag_input, output, pipeline
from cluster.bringup import images
from cluster.installation import PATH, Installation

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
GIVEN = "{{$.inputs.parameters['x']}}"


def say(image: str = "alpine"):
    """Writes its input to its output and to its log."""
    script = 'echo "said $1"; printf %s "$1" > "$0"'
    return container(
        ["sh", "-ec", script, OUTPUT, GIVEN], image=image, inputs={"x": "STRING"}, outputs={"Output": "STRING"}
    )


def test_a_task_is_one_pod_and_its_output_reaches_the_next(on_pods: Installation) -> None:
    flow = pipeline("chain").input("x", "STRING")
    flow.task("first", say(), {"x": dag_input("x")})
    flow.task("second", say(), {"x": output("first")})
    flow.returns("said", "second")
    run_id = on_pods.submit(flow.build(), x="hello")
    assert on_pods.ended(run_id) == "SUCCEEDED"
    run = on_pods.platform.get(f"/apis/headrace.v1/runs/{run_id}")
    assert json.loads(run["outputs"]["parameters"]["said"]["json"]) == "hello"
    paths = [pod["metadata"]["annotations"][PATH] for pod in on_pods.pods.of(run_id)]
    assert paths == ["first", "second"]


def test_control_flow_has_no_pods(on_pods: Installation) -> None:
    flow = pipeline("flow")
    body = dag({"item": "STRING"}).task("one", say(), {"x": dag_input("item")})
    flow.task("loop", body, items='["a", "b", "c"]')
    never = dag({"item": "STRING"}).task("two", say(), {"x": dag_input("item")})
    flow.task("never", never, {"item": "x"}, when="inputs.parameter_values['item'] == 'y'")
    run_id = on_pods.submit(flow.build())
    assert on_pods.ended(run_id) == "SUCCEEDED"
    paths = sorted(pod["metadata"]["annotations"][PATH] for pod in on_pods.pods.of(run_id))
    assert paths == ["loop[0]/one", "loop[1]/one", "loop[2]/one"]


def test_images_of_every_kind(on_pods: Installation) -> None:
    flow = pipeline("images")
    for name, image in (("root", "python:3.11"), ("user", images.UID_1000), ("umask", images.UMASK_077)):
        flow.task(name, say(image), {"x": name})
        flow.returns(name, name)
    alone = container(
        ["/write"], [GIVEN, OUTPUT], image=images.STATIC, inputs={"x": "STRING"}, outputs={"Output": "STRING"}
    )
    flow.task("static", alone, {"x": "static"})
    flow.returns("static", "static")
    run_id = on_pods.submit(flow.build())
    assert on_pods.ended(run_id) == "SUCCEEDED", [task.get("error") for task in on_pods.tasks(run_id)]
    outputs = on_pods.platform.get(f"/apis/headrace.v1/runs/{run_id}")["outputs"]["parameters"]
    assert {name: json.loads(value["json"]) for name, value in outputs.items()} == {
        name: name for name in ("root", "user", "umask", "static")
    }


def test_a_component_without_a_command_runs_its_images_own(on_pods: Installation) -> None:
    flow = pipeline("images-own")
    for name, image in (("python", "python:3.11"), ("nothing", "headrace.test/nothing:7")):
        bare = container([], image=image)
        del bare.executor["container"]["command"]
        flow.task(name, bare)
    run_id = on_pods.submit(flow.build())
    assert on_pods.ended(run_id) == "FAILED"
    tasks = {task["path"]: task for task in on_pods.tasks(run_id)}
    assert tasks["python"]["state"] == "TASK_SUCCEEDED", tasks["python"].get("error")
    assert tasks["nothing"]["error"]["message"] == (
        "the entry point of the image 'headrace.test/nothing:7' is not known: it is not in 'headrace.test': look at its name "
        "and tag, or give the component a command"
    )
    assert [pod["metadata"]["annotations"][PATH] for pod in on_pods.pods.of(run_id)] == ["python"]


def test_logs_are_there_after_the_pod_has_gone(on_pods: Installation) -> None:
    run_id = on_pods.submit(pipeline("log").task("speaks", say(), {"x": "here"}).build())
    assert on_pods.ended(run_id) == "SUCCEEDED"
    for pod in on_pods.living_pods(run_id):
        on_pods.kube.delete("Pod", pod["metadata"]["name"], on_pods.namespace, gracePeriodSeconds=0)
    assert on_pods.log(run_id, "speaks") == "said here\n"


def test_user_code_sees_no_credentials(on_pods: Installation) -> None:
    script = 'ls -a /var/run/secrets/kubernetes.io /var/run/headrace 2>&1 || true; env; printf %s ok > "$0"'
    looks = container(["sh", "-c", script, OUTPUT], image="alpine", outputs={"Output": "STRING"})
    run_id = on_pods.submit(pipeline("look").task("looks", looks).build())
    assert on_pods.ended(run_id) == "SUCCEEDED"
    said = on_pods.log(run_id, "looks")
    assert said.count("No such file or directory") == 2
    assert "AWS_" not in said
    assert "a-secret-of-tests" not in said
    assert "HEADRACE_SCHEDULER_ADDRESS" not in said


def test_user_code_knows_its_pod_and_has_a_home(on_pods: Installation) -> None:
    script = 'touch "$HOME/x"; printf "%s %s %s %s" "$KFP_POD_NAME" "$KFP_POD_UID" "$KFP_RUN_ID" "$HOME" > "$0"'
    command = ["sh", "-ec", script, OUTPUT]
    unknown = {"securityContext": {"runAsUser": "1234"}}
    flow = pipeline("home")
    for name, image, settings in (
        ("root", "python:3.11", {}),
        ("user", images.UID_1000, {}),
        ("unknown", "alpine", unknown),
    ):
        flow.task(name, container(command, image=image, outputs={"Output": "STRING"}, kubernetes=settings))
    own = container(command, image="alpine", outputs={"Output": "STRING"}, env={"HOME": "/tmp"}, kubernetes=unknown)
    flow.task("own", own)
    run_id = on_pods.submit(flow.build(), flow.platform())
    assert on_pods.ended(run_id) == "SUCCEEDED", [task.get("error") for task in on_pods.tasks(run_id)]
    said = {
        task["path"]: json.loads(task["outputs"]["parameters"]["Output"]["json"]).split()
        for task in on_pods.tasks(run_id)
    }
    homes = {path: words[3] for path, words in said.items()}
    assert homes == {"root": "/root", "user": "/home/user", "unknown": "/headrace/home", "own": "/tmp"}
    for pod in on_pods.pods.of(run_id):
        metadata = pod["metadata"]
        assert said[metadata["annotations"][PATH]][:3] == [metadata["name"], metadata["uid"], run_id]


def test_any_user_can_write_where_kfps_sdk_puts_artifacts_with_uris_of_their_own(on_pods: Installation) -> None:
    script = 'for place in gcs s3 minio; do mkdir "/$place/b"; done; test ! -e /.cache; echo m > "$0"'
    makes = container(
        ["sh", "-ec", script, "{{$.outputs.artifacts['m'].path}}"],
        image="alpine",
        kubernetes={"securityContext": {"runAsUser": "1234"}},
    ).output_artifact("m", "system.Model")
    flow = pipeline("places").task("makes", makes)
    run_id = on_pods.submit(flow.build(), flow.platform())
    assert on_pods.ended(run_id) == "SUCCEEDED", [task.get("error") for task in on_pods.tasks(run_id)]
