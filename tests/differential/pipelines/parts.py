"""Components that the pipelines beside this file are made of; deterministic, standard library alone."""
from typing import Dict, List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

IMAGE = 'python:3.11'


@dsl.component(base_image=IMAGE)
def add(a: int, b: int) -> int:
    return a + b


@dsl.component(base_image=IMAGE)
def double(num: int) -> int:
    return 2 * num


@dsl.component(base_image=IMAGE)
def half(num: float) -> float:
    return num / 2


@dsl.component(base_image=IMAGE)
def is_even(num: int) -> bool:
    return num % 2 == 0


@dsl.component(base_image=IMAGE)
def echo(text: str) -> str:
    return text


@dsl.component(base_image=IMAGE)
def join(texts: List[str]) -> str:
    return '+'.join(texts)


@dsl.component(base_image=IMAGE)
def total(nums: List[int]) -> int:
    return int(sum(nums))


@dsl.component(base_image=IMAGE)
def numbers(count: int) -> List[int]:
    return list(range(1, count + 1))


@dsl.component(base_image=IMAGE)
def reversed_list(nums: List[int]) -> List[int]:
    return nums[::-1]


@dsl.component(base_image=IMAGE)
def people() -> List[Dict[str, str]]:
    return [{'who': 'Ada', 'town': 'London'}, {'who': 'Emmy', 'town': 'Erlangen'}]


@dsl.component(base_image=IMAGE)
def settings(depth: int) -> Dict[str, int]:
    return {'depth': depth, 'width': depth + 1}


@dsl.component(base_image=IMAGE)
def describe(value: dict) -> str:
    import json
    return json.dumps(value, sort_keys=True)


@dsl.component(base_image=IMAGE)
def greet(name: str, greeting: str = 'Hello') -> str:
    return f'{greeting}, {name}!'


@dsl.component(base_image=IMAGE)
def perhaps(text: Optional[str] = None, number: Optional[int] = None) -> str:
    return f'{text!r} {number!r}'


@dsl.component(base_image=IMAGE)
def types(text: str, whole: int, real: float, flag: bool, items: list, table: dict) -> str:
    import json
    return json.dumps([text, whole, real, flag, items, table, [type(one).__name__ for one in (text, whole, real, flag, items, table)]])


@dsl.component(base_image=IMAGE)
def split(text: str) -> NamedTuple('Parts', [('first', str), ('rest', str), ('length', int)]):
    from collections import namedtuple
    return namedtuple('Parts', ['first', 'rest', 'length'])(text[:1], text[1:], len(text))


@dsl.component(base_image=IMAGE)
def write(text: str, data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write(text)
    data.metadata['length'] = len(text)


@dsl.component(base_image=IMAGE)
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.component(base_image=IMAGE)
def read_metadata(data: Input[Dataset]) -> int:
    return int(data.metadata['length'])


@dsl.component(base_image=IMAGE)
def read_all(data: Input[List[Dataset]]) -> str:
    texts = []
    for one in data:
        with open(one.path) as file:
            texts.append(file.read())
    return ' '.join(texts)


@dsl.component(base_image=IMAGE)
def read_if_any(data: Optional[Input[Dataset]] = None) -> str:
    if data is None:
        return 'nothing'
    with open(data.path) as file:
        return file.read()


@dsl.component(base_image=IMAGE)
def merge(left: Input[Dataset], right: Input[Dataset], data: Output[Dataset]):
    with open(left.path) as first, open(right.path) as second, open(data.path, 'w') as file:
        file.write(first.read() + '|' + second.read())
    data.metadata['length'] = int(left.metadata['length']) + int(right.metadata['length'])


@dsl.component(base_image=IMAGE)
def train(data: Input[Dataset], model: Output[Model], metrics: Output[Metrics]):
    with open(data.path) as file, open(model.path, 'w') as weights:
        weights.write(file.read()[::-1])
    model.metadata['framework'] = 'none'
    metrics.log_metric('accuracy', 0.75)
    metrics.log_metric('rows', 3)


@dsl.component(base_image=IMAGE)
def evaluate(model: Input[Model], matrix: Output[ClassificationMetrics], page: Output[HTML], notes: Output[Markdown]) -> float:
    matrix.log_confusion_matrix(['yes', 'no'], [[3, 1], [0, 4]])
    with open(page.path, 'w') as file:
        file.write('<p>fine</p>')
    with open(notes.path, 'w') as file:
        file.write('# ' + model.metadata['framework'])
    return 0.875


@dsl.component(base_image=IMAGE)
def folder(names: List[str], tree: Output[Artifact]):
    import os
    for name in names:
        path = os.path.join(tree.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as file:
            file.write(name.upper())


@dsl.component(base_image=IMAGE)
def listing(tree: Input[Artifact]) -> List[str]:
    import os
    return sorted(os.path.relpath(os.path.join(top, name), tree.path) for top, _, names in os.walk(tree.path) for name in names)


@dsl.component(base_image=IMAGE)
def fail_unless(wanted: bool) -> str:
    if not wanted:
        raise SystemExit('it was not wanted')
    return 'wanted'


@dsl.component(base_image=IMAGE)
def status_of(status: dsl.PipelineTaskFinalStatus) -> str:
    return f'{status.pipeline_task_name} {status.state}'


@dsl.component(base_image=IMAGE)
def flaky(folder: str, name: str) -> str:
    import os
    path = os.path.join(folder, name)
    with open(path, 'a') as file:
        file.write('.')
    if os.path.getsize(path) < 3:
        raise SystemExit('not yet')
    return 'at last'


@dsl.pipeline
def several(texts: List[str]) -> List[Dataset]:
    with dsl.ParallelFor(texts) as text:
        written = write(text=text)
    return dsl.Collected(written.outputs['data'])
