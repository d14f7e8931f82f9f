"""A container that has the official SDK: components of ours and of `--as-kfp` in it, and its annotations read by our runtime."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fixtures.fix_kfp_peer import ROOT, peer_environment
from headrace.compiler.bootstrap import Settings, lightweight
from headrace.compiler.module_texts import module_source

FUNCTION = """
def look(
    n: int,
    data: Input[Dataset],
    many: Input[List[Dataset]],
    path: InputPath("Model"),
    model: Output[Model],
    text: OutputPath("Markdown"),
    note: OutputPath(str),
    status: dsl.PipelineTaskFinalStatus,
    config: dsl.TaskConfig,
    gone: Optional[Input[Dataset]] = None,
) -> NamedTuple("Made", [("page", HTML), ("seen", list), ("root", str)]):
    import sys
    model.metadata["n"] = n
    with open(model.path, "w") as file:
        file.write("weights")
    for place in (text, note):
        with open(place, "w") as file:
            file.write("x")
    kinds = [type(each).__module__.partition(".")[0] for each in (data, many[1], model, status, config)]
    runtime = "ours" if "headrace.runtime" in sys.modules else "kfp's"
    return HTML(uri=model.uri, metadata={"a": 1}), [data.path, path, status.state, gone, *kinds, runtime], dsl.get_uri()
"""


@pytest.fixture
def document(tmp_path: Path) -> dict[str, object]:
    def entry(name: str, kind: str, uri: str) -> dict[str, object]:
        return {"artifacts": [{"name": name, "uri": uri, "type": {"schemaTitle": f"system.{kind}"}}]}

    two = {"artifacts": [*entry("a", "Dataset", "/a")["artifacts"], *entry("b", "Dataset", "/b")["artifacts"]]}  # type: ignore[misc]
    made = {"model": "Model", "text": "Markdown", "page": "HTML"}
    return {
        "inputs": {
            "parameterValues": {"n": 3, "status": {"state": "SUCCEEDED"}, "config": {}},
            "artifacts": {"data": entry("d", "Dataset", "s3://b/d"), "many": two, "path": entry("m", "Model", "/m")},
        },
        "outputs": {
            "parameters": {name: {"outputFile": str(tmp_path / name)} for name in ("note", "seen", "root")},
            "artifacts": {name: entry(name, kind, str(tmp_path / name)) for name, kind in made.items()},
            "outputFile": str(tmp_path / "task/output.json"),
        },
    }


def run(python: Path, document: dict[str, object], *, as_kfp: bool, **env: str) -> dict[str, dict[str, object]]:
    command, args = lightweight("look", module_source(FUNCTION, as_kfp=as_kfp), Settings(as_kfp=as_kfp))
    args[1] = json.dumps(document)
    done = subprocess.run(
        [*command, *args], env=peer_environment(PIP_NO_INDEX="1", **env), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    found: dict[str, dict[str, object]] = json.loads(Path(document["outputs"]["outputFile"]).read_text())  # type: ignore[index]
    return found


@pytest.mark.parametrize(
    ("as_kfp", "runtime", "kinds"), [(True, "kfp's", "kfp"), (True, "ours", "kfp"), (False, "ours", "headrace")]
)
def test_both_runtimes_do_the_same(
    kfp_python: Path, document: dict[str, object], tmp_path: Path, as_kfp: bool, runtime: str, kinds: str
) -> None:
    env = {"PYTHONPATH": str(ROOT / "sdk")} if runtime == "ours" else {}
    found = run(kfp_python, document, as_kfp=as_kfp, **env)
    seen = ["/s3/b/d", "/m", "SUCCEEDED", None, *[kinds] * 5, runtime]
    assert found["parameterValues"] == {"seen": seen, "root": f"{tmp_path}/task/Output"}
    made = found["artifacts"]
    assert made["model"] == {"artifacts": [{"name": "model", "uri": f"{tmp_path}/model", "metadata": {"n": 3}}]}
    page = made["page"]["artifacts"][0]  # type: ignore[index]
    assert (page["uri"], page["metadata"]) == (f"{tmp_path}/model", {"a": 1})
    assert (tmp_path / "note").read_text() == "x"
