"""Placeholders of the platform and of components, wherever they may stand."""
from typing import Dict, List, Optional

from kfp import dsl
from kfp.dsl import (
    PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER, PIPELINE_JOB_ID_PLACEHOLDER, PIPELINE_JOB_NAME_PLACEHOLDER, PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
    PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER, PIPELINE_ROOT_PLACEHOLDER, PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
    PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, PIPELINE_TASK_ID_PLACEHOLDER, PIPELINE_TASK_NAME_PLACEHOLDER,
)
from steps import IMAGE, say


@dsl.pipeline(name='of-the-platform')
def of_the_platform():
    for one in (
        PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER, PIPELINE_JOB_ID_PLACEHOLDER, PIPELINE_JOB_NAME_PLACEHOLDER, PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER, PIPELINE_ROOT_PLACEHOLDER, PIPELINE_TASK_ID_PLACEHOLDER, PIPELINE_TASK_NAME_PLACEHOLDER,
    ):
        say(text=one)
        say(text=f'at {one}.')


@dsl.container_component
def whole(data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(IMAGE, ['sh', '-c', 'echo "$@"'], [PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER, PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER])


@dsl.container_component
def parts(
    made: dsl.OutputPath(Dict[str, int]), text: str, items: List[str], table: dict, flag: bool, whole_number: int, real: float = 0.5,
    maybe: Optional[str] = None, data: Optional[dsl.Input[dsl.Model]] = None,
):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=['sh', '-ec', f'echo "{text}"; to=${{0#--out=}}; mkdir -p "$(dirname "$to")"; echo "{{}}" > "$to"; echo "$@"', dsl.ConcatPlaceholder(['--out=', made])],
        args=[
            '--text', text, '--items', items, '--table', table, '--flag', flag, '--n', whole_number, real,
            dsl.ConcatPlaceholder(['a', text, dsl.ConcatPlaceholder(['b', whole_number])]),
            dsl.IfPresentPlaceholder('maybe', then=['--maybe', maybe], else_=['--none', dsl.ConcatPlaceholder(['x', text])]),
            dsl.IfPresentPlaceholder('maybe', then=dsl.ConcatPlaceholder(['m=', maybe]), else_='m'),
            dsl.IfPresentPlaceholder('data', then=['--data', data.path, data.uri]),
            f'--joined={text}-{whole_number}',
        ],
    )


@dsl.pipeline(name='of-components')
def of_components(text: str = 'x', items: list = ['a']):
    whole()
    parts(text=text, items=items, table={'a': text}, flag=True, whole_number=3, maybe=f'{text}!')
    parts(text='{{$.inputs}}', items=[text, f'{text}/y'], table={'deep': [text]}, flag=False, whole_number=0)


@dsl.pipeline(name='in-values')
def in_values(text: str = 'x', number: int = 3, flag: bool = True, items: list = [], table: dict = {}):
    said = say(text=f'{text} {number} {flag} {items} {table}')
    say(text=f"{said.outputs['said']} then {said.outputs['said']} and {{braces}}")
    parts(text=said.output, items=[said.output, 'b', [f'<{said.output}>']], table={'k': {'n': number, 't': f'{text}'}}, flag=flag, whole_number=number)


@dsl.pipeline(name='quoted')
def quoted():
    say(text='it\'s "quoted" \\ {{$}} {{$.json_escape[1]}} \u00fc \U0001f389 \n\t$HOME `x` %s {0}')


PIPELINES = [of_the_platform, of_components, in_values, quoted]
