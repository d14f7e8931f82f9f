"""What KFP's SDK refuses or misplaces, though the IR can say it: order, exit handlers and values in places of their own."""
from kfp import dsl
from steps import IMAGE, count, say


@dsl.component(base_image=IMAGE)
def half(x: float) -> float:
    return x / 2


@dsl.pipeline(name='after-branches-without-else')
def after_branches_without_else(word: str = 'a'):
    with dsl.If(word == 'a'):
        say(text='a')
    with dsl.Elif(word == 'b'):
        say(text='b')
    say(text='whatever it was')


@dsl.component(base_image=IMAGE)
def double(n: int) -> int:
    return 2 * n


@dsl.pipeline(name='lists-in-written-items')
def lists_in_written_items():
    with dsl.ParallelFor([{'counts': [1, 2]}, {'counts': [3]}]) as item:
        with dsl.ParallelFor(item.counts) as number:
            double(n=number)


@dsl.pipeline(name='whole-and-real-items')
def whole_and_real_items():
    with dsl.ParallelFor([1, 2.5]) as item:
        say(text=f'{item}')


PIPELINES = [after_branches_without_else, lists_in_written_items, whole_and_real_items]


def beyond():
    @dsl.pipeline(name='exit-handlers-inside')
    def exit_handlers_inside(word: str = 'a'):
        last = say(text='last')
        with dsl.ExitHandler(last):
            with dsl.ParallelFor(['x', 'y']) as item:
                end = say(text=item)
                with dsl.ExitHandler(end):
                    say(text=f'<{item}>')

    @dsl.pipeline(name='after-an-exit-task')
    def after_an_exit_task():
        end = say(text='end')
        with dsl.ExitHandler(end):
            say(text='work')
        say(text=end.output)

    @dsl.pipeline(name='after-groups')
    def after_groups(word: str = 'a'):
        with dsl.If(word == 'a') as branch:
            say(text='a')
        with dsl.ParallelFor(['x', 'y']) as item:
            say(text=item)
        with dsl.If(word == 'b') as other:
            say(text='b')
        say(text='last').after(branch, other)

    @dsl.pipeline(name='whole-numbers')
    def whole_numbers(n: int = 3):
        half(x=1)
        half(x=n)

    @dsl.pipeline(name='collected-and-one-of-in-texts')
    def collected_and_one_of_in_texts(word: str = 'a'):
        with dsl.ParallelFor(['x', 'y']) as item:
            each = say(text=item)
        with dsl.If(word == 'a'):
            first = say(text='a')
        with dsl.Else():
            second = say(text='b')
        say(text=f'{dsl.OneOf(first.output, second.output)} of {dsl.Collected(each.output)}')

    @dsl.pipeline(name='keys-of-items')
    def keys_of_items():
        with dsl.ParallelFor([{'name': 'a', 'n': 1}, {'name': 'b', 'n': 2}]) as item:
            say(text=item.name)
            count(texts=[item['name']])

    @dsl.pipeline(name='a-pipeline-made-inside')
    def a_pipeline_made_inside(word: str = 'a'):
        @dsl.pipeline(name='inner')
        def inner(text: str) -> str:
            return say(text=text).output

        say(text=inner(text=word).output)

    return [
        exit_handlers_inside, after_an_exit_task, after_groups, whole_numbers, collected_and_one_of_in_texts, keys_of_items,
        a_pipeline_made_inside,
    ]
