"""A pipeline file or spec to what a run needs: the checked spec as JSON text, the Plan, and the run's inputs.

The work of reading is CPU-bound, so callers run it in a thread. Every problem is reported at once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from headrace_apiserver.compiling import Compilations, Compiled
from headrace_apiserver.names import NAMESPACE
from headrace_ir.documents import read_json
from headrace_ir.limits import MAX_SPEC_BYTES
from headrace_ir.outputs import read_output_file
from headrace_ir.parameters import check_run_parameters, declaration_of
from headrace_ir.plan import compile_plan
from headrace_ir.problems import Problem, SpecError, format_problems
from headrace_ir.reading import Package, read_package, read_spec
from headrace_ir.references import Held, ValueRef, write_reference
from headrace_ir.values import Value, ValueProblem, canonical, decode, encode
from headrace_protos.v1 import events_pb2, plan_pb2
from headrace_servicekit.errors import Reason, ServiceError

__all__ = ["Compiled", "compiled_document", "compiled_file", "compiled_text", "invalid_spec", "run_inputs"]

_COMPILATIONS: Final = Compilations()


def compiled_file(data: bytes, filename: str) -> Compiled:
    """The pipeline in an uploaded file: YAML, JSON, zip or gzip tarball."""
    return _compiled(f"file {filename}", data, lambda: read_package(data, filename))


def compiled_document(document: Any) -> Compiled:
    """The pipeline in a JSON object: a bare spec, or both documents under their names."""
    return compiled_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def compiled_text(spec_json: str) -> Compiled:
    """The same from the object's JSON text."""
    content = spec_json.encode("utf-8", "surrogatepass")
    return _compiled("text", content, lambda: _read_text(content))


def _read_text(content: bytes) -> Package:
    if len(content) > MAX_SPEC_BYTES:
        size = f"{len(content) / (1 << 20):.1f} MiB"
        raise SpecError.of(f"the spec is {size} large; at most {MAX_SPEC_BYTES >> 20} MiB are possible")
    return read_spec(read_json(content))


def _compiled(kind: str, content: bytes, read: Callable[[], Package]) -> Compiled:
    def make() -> Compiled:
        package = read()
        plan = compile_plan(package)  # validates: raises SpecError with every problem
        return Compiled(json.dumps(package.document, ensure_ascii=False, separators=(",", ":")), plan)

    try:
        return _COMPILATIONS.get(kind, content, make)
    except SpecError as wrong:
        raise invalid_spec(wrong.problems) from None


def invalid_spec(problems: tuple[Problem, ...] | list[Problem]) -> ServiceError:
    """All problems, in the message and as details."""
    return ServiceError(
        Reason.INVALID_SPEC,
        format_problems(problems),
        details=[(problem.path, problem.message) for problem in problems],
    )


def parsed_texts(plan: plan_pb2.Plan, texts: Mapping[str, str]) -> dict[str, Value]:
    """Parameters from a command line: text, read by the declared type; what cannot be read is judged by run_inputs."""
    declared = {definition.name: definition for definition in plan.dags[0].parameters}
    values: dict[str, Value] = {}
    for name, text in texts.items():
        try:
            values[name] = read_output_file(name, declared[name].type, text.encode()) if name in declared else text
        except ValueProblem:
            values[name] = text
    return values


def parameters_of(text: str) -> dict[str, Value]:
    """The object in parameters_json."""
    if not text:
        return {}
    try:
        value = decode(text)
    except ValueProblem as wrong:
        problems = _culprits(text) or [f"parameters_json {wrong.sentence}"]
        details = [("", problem) for problem in problems]
        raise ServiceError(Reason.INVALID_PARAMETERS, "; ".join(problems), details=details) from None
    if not isinstance(value, dict):
        raise ServiceError(Reason.INVALID_PARAMETERS, "parameters_json must be a JSON object of names and values")
    return value


def _culprits(text: str) -> list[str]:
    """The parameters that no value can be made of, where the text is an object of them at all."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return []
    problems = []
    for name, value in held.items() if isinstance(held, dict) else ():
        try:
            canonical(value)
        except ValueProblem as problem:
            problems.append(f"parameter '{name}' {problem.sentence}")
    return problems


def run_inputs(plan: plan_pb2.Plan, given: Mapping[str, Held], artifacts: Mapping[str, str]) -> events_pb2.Values:
    """The root DAG's inputs, defaults applied; or every problem with them."""
    root = plan.dags[0]
    declarations = {definition.name: declaration_of(definition) for definition in root.parameters}
    values, problems = check_run_parameters(declarations, given)
    inputs = events_pb2.Values()
    for name, value in values.items():
        if isinstance(value, ValueRef):
            write_reference(inputs.parameters[name], value)
            continue
        try:
            inputs.parameters[name].json = encode(value)
        except ValueProblem as wrong:  # only its size is left to be wrong
            problems.append(f"parameter '{name}' {wrong.sentence}")
    problems += _add_artifacts(inputs, plan, artifacts)
    if problems:
        message = "; ".join(problems) if len(problems) < 3 else f"{len(problems)} problems:\n  " + "\n  ".join(problems)
        raise ServiceError(Reason.INVALID_PARAMETERS, message, details=[("", problem) for problem in problems])
    return inputs


def _given_id(pipeline: str, definition: plan_pb2.ArtifactDef, uri: str) -> str:
    """Of an artifact that runs are given: the same for all runs of the pipeline that are given this URI, so that lineage
    shows who read it.
    """
    kind = (definition.schema_title, definition.schema_version, definition.instance_schema, definition.schema_uri)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps((NAMESPACE, pipeline, kind, uri))))


def _add_artifacts(inputs: events_pb2.Values, plan: plan_pb2.Plan, given: Mapping[str, str]) -> list[str]:
    declared = {definition.name: definition for definition in plan.dags[0].artifacts}
    known = ", ".join(declared) or "none"
    problems = [f"artifact '{name}' is unknown: the pipeline takes {known}" for name in given if name not in declared]
    for name, definition in declared.items():
        uri = given.get(name, "")
        kind = definition.schema_title or "artifact"
        if not uri:
            if not definition.optional:
                problems.append(f"artifact '{name}' ({kind}) is missing: give its URI")
        elif "://" not in uri or "\0" in uri:
            problems.append(
                f"artifact '{name}' ({kind}) is {uri[:100]!r}: expected a URI such as file:///data/x or s3://bucket/x"
            )
        else:
            inputs.artifacts[name].artifacts.add(
                artifact_id=_given_id(plan.pipeline_name, definition, uri),
                name=name,
                uri=uri,
                schema_title=definition.schema_title,
                schema_version=definition.schema_version,
                instance_schema=definition.instance_schema,
                schema_uri=definition.schema_uri,
            )
    return problems
