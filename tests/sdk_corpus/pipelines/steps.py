"""Components that the pipelines beside this file are made of: shell commands, so that many of them run fast."""
from typing import List

from kfp import dsl

IMAGE = 'python:3.11'


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; printf "<%s>" "$0" > "$1"'], args=[text, said])


@dsl.container_component
def tell(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; printf "[%s]" "$0" > "$1"'], args=[text, said])


@dsl.container_component
def words(said: dsl.OutputPath(List[str])):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$0")"; printf \'["x", "y"]\' > "$0"'], args=[said])


@dsl.container_component
def count(texts: List[str], said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; printf %s "$0" > "$1"'], args=[texts, said])


@dsl.container_component
def make(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; printf "%s" "$0" > "$1"'], args=[text, data.path])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; cat "$0" > "$1"'], args=[data.path, said])


@dsl.container_component
def fail():
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-ec', 'exit 3'])


@dsl.component(base_image=IMAGE)
def ended(status: dsl.PipelineTaskFinalStatus) -> str:
    return f'{status.pipeline_task_name} {status.state}'
