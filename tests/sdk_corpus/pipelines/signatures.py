"""What components take and give: every type, defaults, paths, lists, named and returned outputs, descriptions."""
import typing
from typing import Any, Dict, List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, InputPath, Markdown, Metrics, Model, Output, OutputPath, SlicedClassificationMetrics
from steps import IMAGE


@dsl.component(base_image=IMAGE)
def parameters(
    a: str, b: int, c: float, d: bool, e: list, f: dict, g: List[int], h: Dict[str, Any], i: typing.List, j: typing.Dict,
    k: Optional[str], l: Optional[int] = None, m: str = 'it\'s "quoted"', n: int = 3, o: float = 2.0, p: bool = True,
    q: list = [1, {'x': 'y'}], r: dict = {'y': [1.5]}, s: Optional[List[str]] = None, t: float = 1,
) -> str:
    return a


@dsl.pipeline(name='every-type')
def every_type(a: str, b: int = 1, c: float = 1, d: bool = False, e: list = [], f: dict = {}, g: List[int] = [1], h: Optional[dict] = None):
    parameters(a=a, b=b, c=c, d=d, e=e, f=f, g=g, h=f, i=e, j=f, k=a)
    parameters(a='x', b=-1, c=1.0, d=True, e=[], f={}, g=[1], h={'a': 1}, i=['x'], j={'b': [True, 0]}, k='', l=2, m='', n=0, o=0.0, p=False, q=[], r={}, s=['t'], t=2.0)


@dsl.component(base_image=IMAGE)
def paths(text: InputPath('String'), number: InputPath(int), made: OutputPath(str), data: OutputPath('Dataset'), counted: OutputPath(int), listed: OutputPath(List[str])):
    with open(made, 'w') as file:
        file.write(text)


@dsl.component(base_image=IMAGE)
def given_paths(model: InputPath('Model'), raw: InputPath()) -> int:
    return len(model) + len(raw)


@dsl.component(base_image=IMAGE)
def two(model: Output[Model], raw: Output[Artifact]):
    for one in (model, raw):
        with open(one.path, 'w') as file:
            file.write('x')


@dsl.component(base_image=IMAGE)
def several(text: str) -> NamedTuple('Both', [('first', str), ('second', int), ('flag', bool), ('items', List[int]), ('table', dict)]):
    from collections import namedtuple
    return namedtuple('Both', ['first', 'second', 'flag', 'items', 'table'])(text, len(text), True, [1], {'a': text})


@dsl.component(base_image=IMAGE)
def by_class(text: str) -> NamedTuple('Outs', first=str, second=float):
    return (text, 1.5)


@dsl.pipeline(name='several-outputs')
def several_outputs(text: str = 'x') -> NamedTuple('Outs', [('left', str), ('right', float), ('flag', bool)]):
    a = several(text=text)
    b = by_class(text=a.outputs['first'])
    several(text=b.outputs['first'])
    return typing.NamedTuple('Outs', [('left', str), ('right', float), ('flag', bool)])(a.outputs['first'], b.outputs['second'], a.outputs['flag'])


@dsl.component(base_image=IMAGE)
def reports(metrics: Output[Metrics], classes: Output[ClassificationMetrics], sliced: Output[SlicedClassificationMetrics], page: Output[HTML], notes: Output[Markdown]):
    metrics.log_metric('accuracy', 0.5)
    classes.log_confusion_matrix(['a', 'b'], [[1, 2], [3, 4]])
    classes.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    with open(page.path, 'w') as file:
        file.write('<p>x</p>')
    with open(notes.path, 'w') as file:
        file.write('# x')


@dsl.component(base_image=IMAGE)
def artifacts(model: Input[Model], data: Input[List[Dataset]], maybe: Optional[Input[Artifact]] = None) -> str:
    return f'{len(data)} {maybe and maybe.metadata}'


@dsl.component(base_image=IMAGE)
def trained() -> Model:
    return Model(uri=dsl.get_uri(), metadata={'layers': 3})


@dsl.component(base_image=IMAGE)
def part(text: str) -> Dataset:
    return Dataset(uri=dsl.get_uri(suffix=text))


@dsl.component(base_image=IMAGE)
def outputs_of_both_kinds(data: Dataset, several: List[Dataset]) -> NamedTuple('Outs', [('model', Model), ('score', float)]):
    return (Model(uri=dsl.get_uri('model')), 0.5)


@dsl.pipeline(name='artifacts-in-python')
def artifacts_in_python() -> NamedTuple('Outs', [('model', Model), ('parts', List[Dataset])]):
    with dsl.ParallelFor(['a', 'b']) as item:
        made = part(text=item)
    one = dsl.importer(artifact_uri='file:///etc/hostname', artifact_class=Dataset, reimport=True, metadata={'a': 'b', 'n': 1, 'deep': {'list': [1, 2.5]}})
    both = outputs_of_both_kinds(data=one.output, several=dsl.Collected(made.output))
    artifacts(model=trained().output, data=dsl.Collected(made.output))
    artifacts(model=both.outputs['model'], data=dsl.Collected(made.output), maybe=one.output)
    return typing.NamedTuple('Outs', [('model', Model), ('parts', List[Dataset])])(both.outputs['model'], dsl.Collected(made.output))


@dsl.pipeline(name='reported')
def reported() -> ClassificationMetrics:
    return reports().outputs['classes']


@dsl.pipeline(name='paths-of-both')
def paths_of_both(text: str = 'x'):
    made = paths(text=text, number=3)
    paths(text=made.outputs['made'], number=made.outputs['counted'])
    pair = two()
    given_paths(model=pair.outputs['model'], raw=pair.outputs['raw'])


@dsl.component(base_image=IMAGE)
def documented(text: str, number: int = 2, data: Optional[Input[Dataset]] = None) -> str:
    """Says something.

    In more words.

    Args:
        text: What to say.
        number: How often,
            which may go on.
        data: Where it stands.

    Returns:
        What was said.
    """
    return text * number


@dsl.pipeline(name='documented-flow')
def documented_flow(text: str = 'x', data: Optional[Input[Dataset]] = None) -> NamedTuple('Outs', [('said', str)]):
    """What it does.

    Args:
        text: Handed on.
        data: Maybe.

    Returns:
        said: What came of it.
    """
    return typing.NamedTuple('Outs', [('said', str)])(documented(text=text, data=data).output)


class Shard(Artifact):
    schema_title = 'google.Shard'
    schema_version = '0.2.0'


@dsl.container_component
def shards(made: Output[Shard], many: Input[List[Artifact]], where: str = '/x'):
    return dsl.ContainerSpec(image=IMAGE, command=['sh', '-c', 'echo "$@"'], args=[made.uri, made.path, made.metadata, made.metadata['a'], many, where])


@dsl.pipeline(name='own-artifacts')
def own_artifacts(many: Input[List[Artifact]]) -> Shard:
    return shards(many=many).outputs['made']


@dsl.pipeline(name='final-status')
def final_status(text: str = 'x'):
    @dsl.component(base_image=IMAGE)
    def told(text: str, status: dsl.PipelineTaskFinalStatus):
        print(text, status.state, status.error_message)

    with dsl.ExitHandler(told(text=text)):
        trained()
    told(text='after').after(reports()).ignore_upstream_failure()


PIPELINES = [
    every_type, several_outputs, artifacts_in_python, reported, paths_of_both, documented_flow, own_artifacts, final_status,
]
