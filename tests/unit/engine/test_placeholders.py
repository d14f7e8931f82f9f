"""Every row of kfp-semantics 3.1 and the R rules of 3.2 to 3.5: flat placeholders, constants, IfPresent and Concat."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_companion.templates import (
    LocalResolver,
    Source,
    UnknownReference,
    join,
    join_all,
    late_part,
    merge,
    parse_reference,
    text_part,
)
from headrace_scheduler.engine.placeholders import (
    PLATFORM,
    PlaceholderProblem,
    Scope,
    constant,
    constant_parts,
    expand_argv,
    late_constants,
    late_texts,
    substitute,
    substitute_value,
    template,
)

ARTIFACT = {
    "name": "7",
    "uri": "s3://b/k",
    "metadata": {"rows": 3.0, "note": "n"},
    "type": {"schemaTitle": "system.Dataset"},
}
SCOPE = Scope(
    parameters={
        "text": 'a "b"\n',
        "int": 3,
        "double": 0.001,
        "bool": True,
        "null": None,
        "list": [1, {"a": None}],
        "struct": {"k": 2.0},
        "trick": "{{$.inputs.parameters['int']}} {{$}}",
    },
    artifacts={"data": [ARTIFACT], "many": [ARTIFACT, {"uri": "s3://b/2"}], "absent": []},
    platform={
        "pipeline_job_name": "my run",
        "pipeline_job_resource_name": "my-run-x",
        "pipeline_job_uuid": "u-1",
        "pipeline_task_name": "train",
        "pipeline_task_uuid": "u-2",
        "pipeline_job_create_time_utc": "2026-01-02T03:04:05Z",
        "pipeline_job_schedule_time_utc": "2026-01-02T00:00:00Z",
        "pipeline_root": "s3://b/root",
        "workspace_path": "/kfp-workspace",
    },
    output_parameters=frozenset({"o"}),
    output_artifacts=frozenset({"model"}),
)
EXECUTOR_INPUT = {
    "inputs": {
        "parameterValues": {"int": 3},
        "artifacts": {"data": {"artifacts": [ARTIFACT]}, "empty": {"artifacts": []}},
    },
    "outputs": {
        "parameters": {"o": {"outputFile": "/tmp/o"}},
        "artifacts": {"model": {"artifacts": [{"name": "model", "uri": "s3://b/m", "metadata": {"x": True}}]}},
        "outputFile": "/tmp/output_metadata.json",
    },
}
RESOLVER = LocalResolver(
    EXECUTOR_INPUT,
    lambda artifact: "/local/" + artifact["uri"].rpartition("/")[2],
)


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("{{$.inputs.parameters['text']}}", 'a "b"\n'),
        ('{{$.inputs.parameters["text"]}}', 'a "b"\n'),
        ("{{$.inputs.parameters['int']}}", "3"),
        ("{{$.inputs.parameters['double']}}", "0.001"),
        ("{{$.inputs.parameters['bool']}}", "true"),
        ("{{$.inputs.parameters['null']}}", ""),
        ("{{$.inputs.parameters['list']}}", '[1,{"a":null}]'),
        ("{{$.inputs.parameters['struct']}}", '{"k":2}'),
        ("{{$.inputs.artifacts['data'].uri}}", "s3://b/k"),
        ("{{$.inputs.artifacts['data'].metadata['rows']}}", "3"),
        ("{{$.inputs.artifacts['data'].metadata['nope']}}", ""),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"rows":3,"note":"n"}'),
        ("{{$.inputs.artifacts['many'].uri}}", "s3://b/k"),
        ("{{$.inputs.artifacts['absent'].uri}}", ""),
        ("{{$.inputs.artifacts['absent'].path}}", ""),
        *((f"{{{{$.{name}}}}}", SCOPE.platform[name]) for name in sorted(PLATFORM)),
        ("{{$.pipeline_google_cloud_project_id}}", "{{$.pipeline_google_cloud_project_id}}"),
        ("{{$.json_escape[1]}}", "{{$.json_escape[1]}}"),
        ("{{$.inputs.parameters['int'].x}}", "{{$.inputs.parameters['int'].x}}"),
        ("{{ $.inputs.parameters['int'] }}", "{{ $.inputs.parameters['int'] }}"),
    ],
)
def test_what_the_engine_fills(placeholder, text):
    assert substitute(f"<{placeholder}|{placeholder}>", SCOPE) == f"<{text}|{text}>"


def test_the_whole_of_an_input_is_json_of_the_list_with_local_paths():
    whole = template("{{$.inputs.artifacts['data']}}", SCOPE)
    assert whole == [{"p": "inputs.artifacts['data']"}]
    assert json.loads(join(whole, RESOLVER)) == [ARTIFACT]
    assert RESOLVER("inputs.artifacts['empty']") == "[]"
    assert RESOLVER("inputs.artifacts['absent']") == ""


@pytest.mark.parametrize(
    ("placeholder", "reference", "text"),
    [
        ("{{$}}", "$", json.dumps(EXECUTOR_INPUT, separators=(",", ":"))),
        ("{{$.inputs.artifacts['data'].path}}", "inputs.artifacts['data'].path", "/local/k"),
        ("{{$.outputs.parameters['o'].output_file}}", "outputs.parameters['o'].output_file", "/tmp/o"),
        ("{{$.outputs.artifacts['model'].uri}}", "outputs.artifacts['model'].uri", "s3://b/m"),
        ("{{$.outputs.artifacts['model'].path}}", "outputs.artifacts['model'].path", "/local/m"),
        ("{{$.outputs.artifacts['model'].metadata}}", "outputs.artifacts['model'].metadata", '{"x":true}'),
        ("{{$.outputs.artifacts['model'].metadata['x']}}", "outputs.artifacts['model'].metadata['x']", "true"),
        (
            "{{$.outputs.artifacts['model']}}",
            "outputs.artifacts['model']",
            '[{"name":"model","uri":"s3://b/m","metadata":{"x":true}}]',
        ),
        ("{{$.outputs.output_file}}", "outputs.output_file", "/tmp/output_metadata.json"),
        ("{{$.outputMetadataUri}}", "outputMetadataUri", "/tmp/output_metadata.json"),
    ],
)
def test_what_the_companion_fills(placeholder, reference, text):
    parts = template(f"--x={placeholder}", SCOPE)
    assert parts == [{"t": "--x="}, {"p": reference}]
    assert json.loads(json.dumps(parts)) == parts
    assert join(parts, RESOLVER) == f"--x={text}"
    with pytest.raises(PlaceholderProblem) as caught:
        substitute(placeholder, SCOPE)
    assert caught.value.sentence == f"{placeholder} is known only where the task runs and cannot be used here"


@pytest.mark.parametrize(
    ("placeholder", "sentence"),
    [
        ("{{$.inputs.parameters['lr']}}", "a placeholder names the input parameter 'lr', but the task has "),
        (
            "{{$.inputs.artifacts['x'].uri}}",
            "a placeholder names the input artifact 'x', but the task has absent, data, many",
        ),
        (
            "{{$.outputs.parameters['x'].output_file}}",
            "a placeholder names the output parameter 'x', but the task has o",
        ),
        ("{{$.outputs.artifacts['x'].path}}", "a placeholder names the output artifact 'x', but the task has model"),
    ],
)
def test_unknown_names_are_errors_that_name_them(placeholder, sentence):
    with pytest.raises(PlaceholderProblem) as caught:
        template(placeholder, SCOPE)
    assert caught.value.sentence.startswith(sentence)


def test_an_unknown_name_in_a_task_without_any():
    with pytest.raises(PlaceholderProblem, match="the input parameter 'x', but the task has none"):
        substitute("{{$.inputs.parameters['x']}}", Scope({}))


@given(st.text(), st.text())
def test_what_was_put_in_is_never_scanned_again(left, right):
    trick = "{{$.inputs.parameters['b']}}{{$}}" + left
    scope = Scope({"a": trick, "b": right})
    argv = expand_argv(["{{$.inputs.parameters['a']}}/{{$.inputs.parameters['b']}}"], scope)
    assert join_all(argv, RESOLVER) == [f"{trick}/{right}"]


@given(
    st.lists(
        st.sampled_from(["{{$.inputs.parameters['b']}}", "{{$}}", "{{", "}}", "$", ".", "x", "'", "{{$.", "'] }}"])
    )
)
def test_any_text_without_known_names_is_a_template(pieces):
    text = "".join(pieces)
    parts = template(text, Scope({"b": "B"}))
    assert join(parts, lambda reference: "{{$}}" if reference == "$" else reference) == text.replace(
        "{{$.inputs.parameters['b']}}", "B"
    )


def test_one_phase_use_resolves_late_references_at_once():
    scope = Scope({"int": 3}, output_parameters=frozenset({"o"}), late=RESOLVER)
    assert substitute("{{$.inputs.parameters['int']}} {{$.outputs.parameters['o'].output_file}}", scope) == "3 /tmp/o"
    assert substitute("{{$.outputs.output_file}}", scope) == "/tmp/output_metadata.json"


def test_values_are_filled_recursively_and_may_keep_their_type():
    value = {
        "{{$.inputs.parameters['int']}}": [
            "{{$.inputs.parameters['int']}}",
            "n={{$.inputs.parameters['int']}}",
            1,
            None,
        ]
    }
    assert substitute_value(value, SCOPE) == {"3": ["3", "n=3", 1, None]}
    assert substitute_value(value, SCOPE, keep_type=True) == {"3": [3, "n=3", 1, None]}


# --- constants (3.2, 3.3) --------------------------------------------------------------------------------------------


def test_constants_take_the_tasks_own_inputs_and_run_names_recursively():
    inputs = {
        "channel": "quote \" and {{$.inputs.parameters['other']}}",
        "n": 2.0,
        "text": "Project = {{$.inputs.parameters['channel']}} on {{$.pipeline_job_name}}",
        "whole": "{{$.inputs.parameters['n']}}",
        "nested": {
            "{{$.inputs.parameters['n']}}": ["{{$.inputs.parameters['n']}}", {"deep": "{{$.pipeline_job_uuid}}"}]
        },
        "other": "{{$.pipeline_job_name}}",
    }
    scope = Scope(parameters=inputs, platform=SCOPE.platform)
    constants = ("text", "whole", "nested")
    resolved = {name: constant(value, scope) if name in constants else value for name, value in inputs.items()}
    assert resolved == {
        "channel": inputs["channel"],
        "n": 2.0,
        "text": f"Project = {inputs['channel']} on my run",
        "whole": "2",
        "nested": {"2": ["2", {"deep": "u-1"}]},
        "other": "{{$.pipeline_job_name}}",  # not a constant of the IR: a user's text stays as it is
    }


def test_a_constant_may_hold_a_path_that_only_the_companion_knows():
    text = "{{$.outputs.output_file}} of {{$.inputs.parameters['int']}}"
    parts = constant_parts(text, SCOPE)
    assert parts == [{"p": "outputs.output_file"}, {"t": " of 3"}]
    assert constant(text, SCOPE) == "{{$.outputs.output_file}} of 3"
    scope = Scope({"where": "…"}, late_parameters={"where": parts})
    argv = expand_argv(["--to={{$.inputs.parameters['where']}}"], scope)
    assert join_all(argv, RESOLVER) == ["--to=/tmp/output_metadata.json of 3"]


def test_only_constants_that_hold_references_are_late():
    inputs = {
        "said": "in {{$.outputs.output_file}}",
        "plain": "{{$.pipeline_job_name}} in {{$.workspace_path}}",
        "n": 3,
        "given": "{{$.outputs.output_file}}",  # not a constant of the IR
    }
    late = late_constants(inputs, {name: inputs[name] for name in ("said", "plain", "n")}, SCOPE.platform)
    assert late == {"said": [{"t": '"in '}, {"p": "outputs.output_file", "in": "json"}, {"t": '"'}]}
    texts = late_texts(late, inputs, Scope(inputs))
    assert texts == {"said": [{"t": "in "}, {"p": "outputs.output_file"}]}
    scope = Scope(inputs, late_parameters=texts)
    argv = expand_argv(["{{$.inputs.parameters['said']}}", "{{$.inputs.parameters['given']}}"], scope)
    assert join_all(argv, RESOLVER) == ["in /tmp/output_metadata.json", "{{$.outputs.output_file}}"]


@pytest.mark.parametrize(
    "text", ["{{$}}", "{{$.inputs.artifacts['data'].uri}}", "{{$.pipeline_google_cloud_project_id}}"]
)
def test_other_placeholders_in_constants_stay_as_they_are(text):
    assert constant(text, SCOPE) == text


def test_a_constant_that_names_an_unknown_input_is_an_error():
    with pytest.raises(PlaceholderProblem, match="the input parameter 'nope'"):
        constant(["{{$.inputs.parameters['nope']}}"], Scope({"a": 1}))


# --- structures (3.4) ------------------------------------------------------------------------------------------------


def argv(*elements):
    return join_all(expand_argv(elements, SCOPE), RESOLVER)


def if_present(name, then, *otherwise):
    return {"IfPresent": {"InputName": name, "Then": then} | ({"Else": otherwise[0]} if otherwise else {})}


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (if_present("int", ["--n", "{{$.inputs.parameters['int']}}"]), ["--n", "3"]),
        (if_present("int", "--n={{$.inputs.parameters['int']}}"), ["--n=3"]),
        (if_present("null", ["--n"]), []),
        (if_present("null", ["--n"], ["--d", "0"]), ["--d", "0"]),
        (if_present("unknown", ["{{$.inputs.parameters['unknown']}}"], "no"), ["no"]),
        (if_present("data", ["{{$.inputs.artifacts['data'].uri}}"]), ["s3://b/k"]),
        (if_present("absent", "yes", "no"), ["no"]),
        (if_present("int", ["{{$.outputs.artifacts['model'].uri}}"]), ["s3://b/m"]),
        (if_present("int", []), []),
        (
            {"Concat": ["pre-", "{{$.inputs.parameters['int']}}", "{{$.outputs.artifacts['model'].uri}}"]},
            ["pre-3s3://b/m"],
        ),
        ({"Concat": []}, [""]),
        ({"Concat": ["a", if_present("int", "b"), if_present("null", "c"), {"Concat": ["d", "e"]}]}, ["abde"]),
        (if_present("int", [{"Concat": ["x", "y"]}, if_present("null", "no", ["z", "w"])]), ["xy", "z", "w"]),
        (if_present("int", if_present("bool", {"Concat": ["q"]})), ["q"]),
        (if_present("int", [json.dumps({"Concat": ["a", "b"]})]), ["ab"]),
        (if_present("int", "{{$.inputs.parameters['trick']}}"), ["{{$.inputs.parameters['int']}} {{$}}"]),
    ],
)
def test_structures(structure, expected):
    assert argv("first", json.dumps(structure), "last") == ["first", *expected, "last"]
    assert argv("  " + json.dumps(structure, separators=(",", ":")) + "\n") == expected


def test_a_value_that_looks_like_a_structure_is_text():
    scope = Scope({"a": '{"Concat": ["x", "y"]}'})
    assert expand_argv(["{{$.inputs.parameters['a']}}"], scope) == [[text_part('{"Concat": ["x", "y"]}')]]


def test_json_that_is_no_structure_is_text():
    assert argv('{"Concatenate": []}', "[\"{{$.inputs.parameters['int']}}\"]") == ['{"Concatenate": []}', '["3"]']


@pytest.mark.parametrize(
    ("element", "sentence"),
    [
        ('{"Concat": [', "an argument begins like IfPresent or Concat but is not JSON"),
        ('{"Concat": "a"}', "an argument must be text, IfPresent or Concat"),
        ('{"Concat": [1]}', "an argument must be text, IfPresent or Concat, got 1"),
        ('{"Concat": [], "x": 1}', "an argument must be text, IfPresent or Concat"),
        ('{"IfPresent": {"InputName": "int"}}', "IfPresent needs InputName and Then"),
        ('{"IfPresent": {"InputName": "int", "Then": "a", "Other": 1}}', "IfPresent needs InputName and Then"),
        (json.dumps({"Concat": [if_present("int", ["a", "b"])]}), "an IfPresent inside Concat gives a list"),
        ('{"Concat": [' * 60 + "]}" * 60, "IfPresent and Concat are nested deeper than 50 levels"),
        ('{"Concat": [' * 100_000, "an argument begins like IfPresent or Concat but is not JSON"),
    ],
)
def test_structures_that_are_wrong(element, sentence):
    with pytest.raises(PlaceholderProblem) as caught:
        expand_argv([element], SCOPE)
    assert caught.value.sentence.startswith(sentence)


# --- the template form -----------------------------------------------------------------------------------------------


def test_parts_merge_and_join():
    assert merge([text_part("a"), text_part(""), text_part("b"), late_part("$"), text_part("")]) == [
        {"t": "ab"},
        {"p": "$"},
    ]
    assert join("literal {{$}}", RESOLVER) == "literal {{$}}"
    assert join(["a", {"p": "outputs.output_file"}], RESOLVER) == "a/tmp/output_metadata.json"
    assert template("", SCOPE) == []


@pytest.mark.parametrize(
    ("reference", "source"),
    [
        ("$", Source.EXECUTOR_INPUT),
        ("inputs.parameters['a.b--c']", Source.INPUT_PARAMETER),
        ("outputs.output_file", Source.OUTPUT_METADATA_FILE),
        ("anything", Source.PLATFORM),
    ],
)
def test_references(reference, source):
    parsed = parse_reference(reference)
    assert parsed is not None
    assert parsed.source is source


@pytest.mark.parametrize(
    "reference",
    [
        "inputs.parameters",
        "inputs.parameters['a'].output_file",
        "outputs.parameters['a']",
        "outputs.parameters['a'].output_file['x']",
        "inputs.artifacts['a'].size",
        "inputs.artifacts['a'].uri['x']",
        "a.b",
    ],
)
def test_what_is_no_reference(reference):
    assert parse_reference(reference) is None


@pytest.mark.parametrize(
    "reference", ["outputs.parameters['x'].output_file", "outputs.artifacts['x'].uri", "nope", "a.b"]
)
def test_the_companion_names_what_a_template_asks_in_vain(reference):
    with pytest.raises(UnknownReference):
        RESOLVER(reference)


def test_an_optional_artifact_that_was_not_given_is_empty_text():
    assert RESOLVER("inputs.artifacts['other'].path") == ""
