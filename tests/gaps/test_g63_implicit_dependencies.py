"""G63: what a task refers to comes before it; the SDK writes the dependency down, so these are by hand."""

from __future__ import annotations

from builders.specs import container, final_status, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT, fail, say, told

GAP = Gap(
    "G63",
    "Dependencies that only a final status or a Kubernetes setting names",
    kfp="none: the task may start before what it refers to",
    here="whatever a task refers to is a dependency",
)


def test_a_secrets_name_from_another_task_comes_first(gaps):
    folder = gaps.platform.home / "secrets" / "g63-login"
    folder.mkdir(parents=True)
    (folder / "user").write_text("me")
    (folder / "user").chmod(0o600)
    name = {"taskOutputParameter": {"producerTask": "zz-make", "outputParameterKey": "Output"}}
    pair = {"secretKey": "user", "envVar": "WHO"}
    use = container(
        ["sh", "-ec", 'printf %s "$WHO" > "$0"', OUTPUT],
        outputs={"Output": "STRING"},
        kubernetes={"secretAsEnv": [{"secretNameParameter": name, "keyToEnv": [pair]}]},
    )
    flow = pipeline().task("use", use).task("zz-make", say("g63-login")).returns("Output", "use")
    view = gaps.run(flow)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "me"})


def test_a_final_status_waits_for_its_task(gaps):
    flow = pipeline().task("zz-work", fail())
    flow.task("look", told(), {"status": final_status("zz-work")}, on_completion=True)
    view = gaps.run(flow)
    assert view.state == "FAILED"
    assert '"state":"FAILED"' in view.tasks["look"].outputs["Output"]
