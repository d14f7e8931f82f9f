"""Runs one compiled pipeline through the official `kfp.local` and writes what it gave as JSON: conformance's oracle.

Runs inside the peer environment (.venv-kfp) as a program of its own: `oracle.py FILE ARGUMENTS.json RESULT.json …`,
three for each pipeline: the SDK alone takes seconds to import.
`kfp.local` reports only the outputs of the run; the outputs of each task are recorded by watching its orchestrators.
Nothing here imports Headrace.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import re
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp import dsl, local
from kfp.local import io, pipeline_orchestrator, status
from kfp.local.orchestrator import enhanced_dag_orchestrator, task_executor
from kfp.pipeline_spec import pipeline_spec_pb2

ITERATION = re.compile(r"-iteration-(\d+)$")
TEXT_LIMIT = 100_000
FINAL = {status.Status.SUCCESS: "SUCCEEDED", status.Status.FAILURE: "FAILED"}


class Recorder:
    """Notes the end of each task under its path; a scope (an IOStore) belongs to the task whose thread made it."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self._here = threading.local()

    def install(self) -> None:
        make_store = io.IOStore.__init__

        def scoped(store: Any, *args: Any, **kwargs: Any) -> None:
            make_store(store, *args, **kwargs)
            store.headrace_scope = getattr(self._here, "path", "")

        io.IOStore.__init__ = scoped
        enhanced_dag_orchestrator.execute_task = self._watch(enhanced_dag_orchestrator.execute_task)
        task_executor.execute_single_task = self._watch(task_executor.execute_single_task)

    def _watch(self, execute: Any) -> Any:
        def watched(*, task_name: str, io_store: Any, **kwargs: Any) -> Any:
            name = ITERATION.sub(r"[\1]", task_name)
            path = f"{io_store.headrace_scope}/{name}".lstrip("/")
            outer, self._here.path = getattr(self._here, "path", ""), path
            try:
                outputs, ended = execute(task_name=task_name, io_store=io_store, **kwargs)
            except BaseException:
                self.tasks[path] = {"state": "ERROR", "outputs": {}}
                raise
            finally:
                self._here.path = outer
            self.tasks[path] = {"state": FINAL[ended], "outputs": {k: described(v) for k, v in outputs.items()}}
            return outputs, ended

        return watched


def described(value: Any) -> Any:
    """A parameter as its JSON value; an artifact as its type, metadata and content."""
    if isinstance(value, list) and any(isinstance(one, dsl.Artifact) for one in value):
        return [described(one) for one in value]
    if not isinstance(value, dsl.Artifact):
        return value
    return {"type": value.schema_title, "metadata": dict(value.metadata), "content": content_of(Path(value.path))}


def content_of(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return {"files": {str(one.relative_to(path)): content_of(one) for one in files}}
    if not path.is_file():
        return {"missing": True}
    data = path.read_bytes()
    with contextlib.suppress(UnicodeDecodeError):
        if len(data) <= TEXT_LIMIT:
            return {"text": data.decode()}
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def read_spec(path: Path) -> pipeline_spec_pb2.PipelineSpec:
    """The pipeline document, without what installs packages: this environment has what the tasks need."""
    documents = [one for one in yaml.safe_load_all(path.read_text()) if one and "root" in one]
    document = documents[0]
    for executor in document.get("deploymentSpec", {}).get("executors", {}).values():
        command = executor.get("container", {}).get("command", [])
        if command[:2] == ["sh", "-c"] and len(command) > 3 and "pip install" in command[2]:
            executor["container"]["command"] = command[3:]
    return json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())


def run(
    recorder: Recorder, spec: pipeline_spec_pb2.PipelineSpec, arguments: dict[str, Any], root: str
) -> dict[str, Any]:
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=os.path.join(root, "outputs"),
        workspace_root=os.path.join(root, "workspace"),
        raise_on_error=True,
    )
    recorder.tasks.clear()
    result: dict[str, Any] = {"state": "SUCCEEDED", "error": "", "outputs": {}}
    try:
        outputs = pipeline_orchestrator.run_local_pipeline(spec, arguments)
        result["outputs"] = {name: described(value) for name, value in outputs.items()}
    except Exception as error:  # noqa: BLE001 - whatever kfp.local raises is the answer that we record
        failed = any(task["state"] == "FAILED" for task in recorder.tasks.values())
        result.update(state="FAILED" if failed else "ERROR", error=f"{type(error).__name__}: {error}")
    result["tasks"] = dict(sorted(recorder.tasks.items()))
    return result


def main(*asked: str) -> None:
    faulthandler.enable()  # SIGABRT ends it with the stacks of all threads in the log
    recorder = Recorder()
    recorder.install()
    for pipeline, arguments, target in zip(asked[::3], asked[1::3], asked[2::3], strict=True):
        given = json.loads(Path(arguments).read_text())
        with tempfile.TemporaryDirectory(prefix="oracle-") as root:
            result = run(recorder, read_spec(Path(pipeline)), given, root)
        scratch = Path(f"{target}.part")
        scratch.write_text(json.dumps(result, indent=1, sort_keys=True, default=repr))
        scratch.replace(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
