"""Components that are loaded: from text, from files, in KFP's older format, whole pipelines; and what is compiled from them."""
import os

from kfp import components, dsl
from steps import say

HERE = os.path.dirname(os.path.abspath(__file__))

OLDER = '''
name: Say it
description: Says what it is told.
inputs:
- {name: text, type: String, description: What to say}
- {name: times, type: Integer, default: '2'}
- {name: Some Real, type: Float, optional: true}
- {name: flags, type: JsonObject, default: '{"a": 1}'}
- {name: data, type: Dataset, optional: true}
outputs:
- {name: said, type: String}
- {name: Made Model, type: Model}
implementation:
  container:
    image: python:3.11
    command: [sh, -ec, 'echo "$@"', {inputValue: text}]
    args:
    - --times
    - {inputValue: times}
    - if:
        cond: {isPresent: Some Real}
        then: [--real, {inputValue: Some Real}]
        else: [--no-real]
    - concat: [--flags=, {inputValue: flags}]
    - if:
        cond: {isPresent: data}
        then: [--data, {inputPath: data}]
    - {outputPath: said}
    - {outputUri: Made Model}
    env: {KEY: value}
'''

NEWER = open(os.path.join(HERE, 'files', 'say_newer.yaml')).read()
older = components.load_component_from_text(OLDER)
newer = components.load_component_from_text(NEWER)
from_file = components.load_component_from_file(os.path.join(HERE, 'files', 'whole.yaml'))


@dsl.pipeline(name='from-older')
def from_older(text: str = 'x'):
    made = older(text=text)
    older(text=made.outputs['said'], times=3, some_real=0.5, flags={'b': [1]})


@dsl.pipeline(name='from-newer')
def from_newer(text: str = 'x') -> str:
    return newer(text=newer(text=text).output).set_cpu_limit('1').output


@dsl.pipeline(name='from-whole')
def from_whole(text: str = 'x') -> str:
    """A pipeline in a file, used twice, once in a loop."""
    first = from_file(text=text)
    with dsl.ParallelFor(['a', 'b']) as item:
        from_file(text=item)
    return say(text=first.output).outputs['said']


PIPELINES = [from_older, from_newer, from_whole]
