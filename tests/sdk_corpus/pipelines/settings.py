"""What a task can be told: resources, images, environment, retries, caching, order; written out and known only at run time."""
from kfp import dsl
from steps import IMAGE, fail, say, words


@dsl.component(base_image=IMAGE)
def text_of(kind: str) -> str:
    return {'cpu': '1', 'memory': '1Gi', 'image': 'python:3.11'}[kind]


@dsl.pipeline(name='resources')
def resources():
    say(text='a').set_cpu_request('500m').set_cpu_limit('2').set_memory_request('512Mi').set_memory_limit('1G')
    say(text='b').set_cpu_limit('0.5').set_memory_limit('2Ti').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(1)
    say(text='c').set_accelerator_type('NVIDIA_TESLA_K80').set_accelerator_limit('2').set_memory_request('100')
    say(text='d').add_node_selector_constraint('nvidia.com/gpu').set_gpu_limit('4')


@dsl.pipeline(name='resources-at-run-time')
def resources_at_run_time(cpu: str = '1', memory: str = '1Gi', kind: str = 'nvidia.com/gpu', number: str = '1', image: str = 'python:3.11'):
    said = text_of(kind='cpu')
    say(text='a').set_cpu_request(cpu).set_cpu_limit(said.output).set_memory_request(memory).set_memory_limit(memory)
    say(text='b').set_accelerator_type(kind).set_accelerator_limit(number).set_container_image(image)
    say(text='c').set_container_image(text_of(kind='image').output)
    with dsl.ParallelFor(['1', '2']) as item:
        say(text=item).set_cpu_limit(item).set_memory_limit(text_of(kind='memory').output)


@dsl.pipeline(name='images')
def images(tag: str = '3.11'):
    say(text='a').set_container_image('python:3.12')
    say(text='b').set_container_image(f'python:{tag}')


@dsl.pipeline(name='environment')
def environment():
    say(text='a').set_env_variable('A', 'one').set_env_variable('B', '').set_env_variable('A', 'two')
    say(text='b').set_debug_pause(before=True, after=True, on_error=True)
    say(text='c').set_debug_pause()


@dsl.pipeline(name='retries')
def retries():
    say(text='a').set_retry(num_retries=3)
    say(text='b').set_retry(num_retries=0)
    say(text='c').set_retry(num_retries=2, backoff_duration='90s', backoff_factor=1.5, backoff_max_duration='2m')


@dsl.pipeline(name='caching')
def caching():
    say(text='a').set_caching_options(False)
    say(text='b').set_caching_options(enable_caching=True)
    say(text='c').set_caching_options(True, cache_key='mine')
    say(text='d')


@dsl.pipeline(name='names')
def names():
    say(text='a').set_display_name('A task, named')
    say(text='b')
    say(text='c').set_display_name('say')


@dsl.pipeline(name='order')
def order():
    a = say(text='a')
    b = say(text='b').after(a)
    say(text=b.outputs['said']).after(a, b)
    with dsl.If(a.outputs['said'] == '<a>') as branch:
        inside = say(text='c')
        say(text='d').after(inside)
    with dsl.ParallelFor(['x', 'y']) as item:
        say(text=item).after(a)
    say(text='e').after(b).set_display_name('last')


@dsl.pipeline(name='failures-ignored')
def failures_ignored() -> str:
    broken = fail()
    say(text='a').after(broken).ignore_upstream_failure()
    return say(text='b').after(fail(), say(text='c')).ignore_upstream_failure().outputs['said']


@dsl.pipeline(name='described', display_name='Described, in words', description='By the decorator.', pipeline_root='gs://bucket/root')
def described(text: str = 'x') -> str:
    """Not taken, because the decorator says it.

    Args:
        text: What is said.

    Returns:
        What was said.
    """
    return say(text=text).outputs['said']


@dsl.pipeline
def named_by_its_function(texts: list = ['a']) -> list:
    """A first line.

    And a second paragraph.
    """
    return words().outputs['said']


@dsl.pipeline(name='older-words')
def older_words(word: str = 'go'):
    first: dsl.PipelineTask = say(text=word)
    with dsl.Condition(first.output == '<go>', name='went'):
        say(text='a')


PIPELINES = [older_words, resources, resources_at_run_time, images, environment, retries, caching, names, order, failures_ignored, described, named_by_its_function]
