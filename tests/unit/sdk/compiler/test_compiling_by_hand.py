"""Definitions that are put together by hand: what the passes make of the data alone."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.compiler.compiling import compile_component, compile_definition
from headrace.compiler.package import Package
from headrace.dsl.channels import Channel, ParameterChannel
from headrace.dsl.components import Component, ContainerImplementation
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.groups import RootGroup
from headrace.dsl.interface import Interface, ParameterInput, ParameterOutput, ParameterType
from headrace.dsl.mistakes import NOWHERE
from headrace.dsl.tasks import PipelineTask, TaskSettings

WHOLE = ParameterType.NUMBER_INTEGER


def made(kind: type, **fields: Any) -> Any:
    """One of the DSL's objects, without what its constructor checks."""
    one = kind.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(one, name, value)
    return one


def double() -> Component:
    interface = Interface({"num": ParameterInput(WHOLE)}, {"Output": ParameterOutput(WHOLE)})
    container = ContainerImplementation({"image": "python:3.11", "command": ["sh", "-c", "echo"], "args": ["{{$}}"]})
    return Component("double", interface, container)


def task(root: RootGroup, name: str, num: Any) -> PipelineTask:
    one: PipelineTask = made(
        PipelineTask, name=name, component=double(), inputs={"num": num}, settings=TaskSettings(), parent=root, after_=[],
        platform_config={}, where=NOWHERE,
    )  # fmt: skip
    root.children.append(one)
    return one


def chain(count: int) -> PipelineDefinition:
    root = made(RootGroup, name="root", display_name="", parent=None, children=[], after=[], where=NOWHERE)
    value: Channel = made(ParameterChannel, name="start", producer=None, type=WHOLE)
    tasks = {}
    for number in range(1, count + 1):
        name = "double" if number == 1 else f"double-{number}"
        tasks[name] = task(root, name, value)
        value = made(ParameterChannel, name="Output", producer=tasks[name], type=WHOLE)
    interface = Interface({"start": ParameterInput(WHOLE, 1, True)}, {"Output": ParameterOutput(WHOLE)})
    return PipelineDefinition("chain", interface, root, tasks, {"Output": value}, NOWHERE)


def test_a_chain_of_tasks():
    spec = compile_definition(chain(2)).spec
    component = {
        "inputDefinitions": {"parameters": {"num": {"parameterType": "NUMBER_INTEGER"}}},
        "outputDefinitions": {"parameters": {"Output": {"parameterType": "NUMBER_INTEGER"}}},
    }
    container = {"image": "python:3.11", "command": ["sh", "-c", "echo"], "args": ["{{$}}"]}
    assert spec == {
        "components": {
            "comp-double": {**component, "executorLabel": "exec-double"},
            "comp-double-2": {**component, "executorLabel": "exec-double-2"},
        },
        "deploymentSpec": {
            "executors": {"exec-double": {"container": container}, "exec-double-2": {"container": container}}
        },
        "pipelineInfo": {"name": "chain"},
        "root": {
            "dag": {
                "outputs": {
                    "parameters": {
                        "Output": {
                            "valueFromParameter": {"outputParameterKey": "Output", "producerSubtask": "double-2"}
                        }
                    }
                },
                "tasks": {
                    "double": {
                        "cachingOptions": {"enableCache": True},
                        "componentRef": {"name": "comp-double"},
                        "inputs": {"parameters": {"num": {"componentInputParameter": "start"}}},
                        "taskInfo": {"name": "double"},
                    },
                    "double-2": {
                        "cachingOptions": {"enableCache": True},
                        "componentRef": {"name": "comp-double-2"},
                        "dependentTasks": ["double"],
                        "inputs": {
                            "parameters": {
                                "num": {
                                    "taskOutputParameter": {"outputParameterKey": "Output", "producerTask": "double"}
                                }
                            }
                        },
                        "taskInfo": {"name": "double-2"},
                    },
                },
            },
            "inputDefinitions": {
                "parameters": {"start": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1, "isOptional": True}}
            },
            "outputDefinitions": {"parameters": {"Output": {"parameterType": "NUMBER_INTEGER"}}},
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "headrace-0.1.0",
    }


def test_a_component_alone_is_a_pipeline_of_one_task():
    spec = compile_component(double()).spec
    assert spec["pipelineInfo"] == {"name": "double"}
    assert spec["root"]["dag"] == {
        "outputs": {
            "parameters": {
                "Output": {"valueFromParameter": {"outputParameterKey": "Output", "producerSubtask": "double"}}
            }
        },
        "tasks": {
            "double": {
                "cachingOptions": {"enableCache": True},
                "componentRef": {"name": "comp-double"},
                "inputs": {"parameters": {"num": {"componentInputParameter": "num"}}},
                "taskInfo": {"name": "double"},
            }
        },
    }


@pytest.mark.parametrize("count", [1, 30])
def test_the_yaml_reads_back_as_the_package(count):
    package = compile_definition(chain(count))
    text = package.to_yaml()
    assert Package.from_text(text) == package
    assert text.startswith(
        "# PIPELINE DEFINITION\n# Name: chain\n# Inputs:\n#    start: int [Default: 1]\n# Outputs:\n#    Output: int\n"
        "components:\n"
    )
