"""Every group inside every other, and each feature of a task inside every group; see OUTERS, INNERS and FEATURES.

Each pipeline has a task outside that feeds the innermost one, and one after it where its output can be had there.
"""
import contextlib

from kfp import dsl
from steps import count, ended, fail, make, read, say, tell, words


@contextlib.contextmanager
def in_static_loop(word, listed):
    with dsl.ParallelFor(['a', 'b']) as item:
        yield item


@contextlib.contextmanager
def in_loop_of_fields(word, listed):
    with dsl.ParallelFor([{'k': 'a', 'n': 'one'}, {'k': 'b', 'n': 'two'}], parallelism=1) as item:
        yield item.n


@contextlib.contextmanager
def in_dynamic_loop(word, listed):
    with dsl.ParallelFor(listed, parallelism=2) as item:
        yield item


@contextlib.contextmanager
def in_if(word, listed):
    with dsl.If(word == 'go'):
        yield word


@contextlib.contextmanager
def in_elif(word, listed):
    with dsl.If(word == 'stop'):
        say(text='never')
    with dsl.Elif(word != 'halt', name='moving'):
        yield word


@contextlib.contextmanager
def in_else(word, listed):
    with dsl.If(word == 'stop', name='standing'):
        say(text='never')
    with dsl.Else():
        yield word


@contextlib.contextmanager
def in_exit_handler(word, listed):
    with dsl.ExitHandler(say(text=word), name='watched'):
        yield word


GROUPS = {
    'static_loop': in_static_loop,
    'loop_of_fields': in_loop_of_fields,
    'dynamic_loop': in_dynamic_loop,
    'if': in_if,
    'elif': in_elif,
    'else': in_else,
}
OUTERS = {**GROUPS, 'exit_handler': in_exit_handler}


def artifact(word, item):
    made = make(text=item)
    read(data=made.outputs['data']).after(say(text=word))


def retried(word, item):
    say(text=item).set_retry(num_retries=2, backoff_duration='1s', backoff_factor=3.0, backoff_max_duration='10s')


def uncached(word, item):
    say(text=item).set_caching_options(False)
    say(text=word).set_caching_options(True, cache_key='mine')


def imported(word, item):
    got = dsl.importer(artifact_uri='file:///etc/hostname', artifact_class=dsl.Dataset, metadata={'of': 'it'})
    read(data=got.output)


def ignoring(word, item):
    say(text='kept').after(fail()).ignore_upstream_failure()


def environment(word, item):
    say(text=item).set_env_variable('A', '1').set_display_name('named')


def in_texts(word, item):
    say(text=f'{word} and {item}!')


@dsl.pipeline(name='inner')
def inner(text: str, other: str = 'z') -> str:
    # its own component: where names of an inner pipeline's are taken already, KFP's SDK renames in an order that is random
    first = tell(text=text)
    return tell(text=f'{first.outputs["said"]}{other}').outputs['said']


def nested_pipeline(word, item):
    made = inner(text=item)
    say(text=made.output)
    inner(text=word, other=item)


@dsl.pipeline
def inner_of_artifacts(data: dsl.Input[dsl.Dataset]) -> dsl.Dataset:
    return make(text=read(data=data).outputs['said']).outputs['data']


def nested_artifacts(word, item):
    made = inner_of_artifacts(data=make(text=item).outputs['data'])
    read(data=made.output)


def one_of(word, item):
    with dsl.If(word == 'go'):
        a = say(text='a')
    with dsl.Else():
        b = say(text=item)
    say(text=dsl.OneOf(a.outputs['said'], b.outputs['said']))


def collected(word, item):
    with dsl.ParallelFor(['1', '2']) as number:
        made = say(text=number)
    count(texts=dsl.Collected(made.outputs['said']))


FEATURES = {
    'artifact': artifact, 'retried': retried, 'uncached': uncached, 'imported': imported, 'ignoring': ignoring,
    'environment': environment, 'in_texts': in_texts, 'nested_pipeline': nested_pipeline, 'nested_artifacts': nested_artifacts,
    'one_of': one_of, 'collected': collected,
}  # fmt: skip


def pair_of_groups(outer, inner_group):
    def flow(word: str = 'go'):
        listed = words()
        with OUTERS[outer](word, listed.output) as first:
            with GROUPS[inner_group](word, listed.output) as second:
                say(text=first)
                say(text=second).after(listed)

    return named(flow, f'{outer}_with_{inner_group}')


def item_in_text_of_inner_group(outer, inner_group):
    """The item of the outer loop in a text inside the inner group."""
    def flow(word: str = 'go'):
        listed = words()
        with OUTERS[outer](word, listed.output) as first:
            with GROUPS[inner_group](word, listed.output) as second:
                say(text=f'{first} {second}')

    return named(flow, f'{outer}_in_text_of_{inner_group}')


def pair_with_feature(outer, feature):
    def flow(word: str = 'go'):
        listed = words()
        with OUTERS[outer](word, listed.output) as item:
            FEATURES[feature](word, item)

    return named(flow, f'{outer}_with_{feature}')


def named(flow, name):
    flow.__name__ = name
    return dsl.pipeline(name=name.replace('_', '-'))(flow)


@dsl.pipeline(name='exit-handler-told')
def exit_handler_told(word: str = 'go') -> str:
    with dsl.ExitHandler(ended(), name='told'):
        with dsl.ParallelFor(['1', '2']) as item:
            with dsl.If(item != '1'):
                say(text=item)
    return say(text=word).outputs['said']


@dsl.pipeline(name='exit-pipeline')
def exit_pipeline(word: str = 'go'):
    with dsl.ExitHandler(inner(text=word)):
        say(text=word)


# What KFP's own SDK cannot compile, or compiles to references of inputs that are not there: it loses items of loops on their way
# into texts, and fields of items of a written list inside a further group.
BEYOND = [
    *((item_in_text_of_inner_group, outer, inside) for outer in ('static_loop', 'dynamic_loop') for inside in GROUPS),
    (pair_with_feature, 'loop_of_fields', 'in_texts'),
    *((pair_of_groups, 'loop_of_fields', inside) for inside in GROUPS),
    (pair_with_feature, 'loop_of_fields', 'one_of'),
]
PIPELINES = [
    *(pair_of_groups(outer, inside) for outer in OUTERS for inside in GROUPS if (pair_of_groups, outer, inside) not in BEYOND),
    *(pair_with_feature(outer, feature) for outer in OUTERS for feature in FEATURES if (pair_with_feature, outer, feature) not in BEYOND),
    exit_handler_told,
    exit_pipeline,
]


def beyond():
    return [make_flow(outer, inside) for make_flow, outer, inside in BEYOND]
