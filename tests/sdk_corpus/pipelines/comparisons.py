"""Conditions of every type and operator, against constants, inputs and outputs; also of types that differ."""
from kfp import dsl
from steps import IMAGE, say


@dsl.component(base_image=IMAGE)
def number() -> int:
    return 3


@dsl.component(base_image=IMAGE)
def real() -> float:
    return 0.5


@dsl.component(base_image=IMAGE)
def flag() -> bool:
    return True


@dsl.pipeline(name='of-one-type')
def of_one_type(text: str = 'a', n: int = 3, x: float = 0.5, yes: bool = True):
    for condition in (text == 'a', text != 'b', text < 'b', text >= 'a', n == 3, n != 4, n < 4, n <= 3, n > 2, n >= 3, x > 0.25, x == 0.5):
        with dsl.If(condition):
            say(text='x')
    with dsl.If(number().output == n):
        say(text='y')
    with dsl.If(real().output <= x):
        say(text='z')


@dsl.pipeline(name='of-truth')
def of_truth(yes: bool = True):
    for condition in (yes == True, yes != False, flag().output == yes):  # noqa: E712
        with dsl.If(condition):
            say(text='x')


@dsl.pipeline(name='number-and-real')
def number_and_real(n: int = 3, x: float = 0.5):
    with dsl.If(n > 2.5):
        say(text='x')
    with dsl.If(x < 1):
        say(text='y')
    with dsl.If(number().output > x):
        say(text='z')


@dsl.pipeline(name='number-and-text')
def number_and_text(n: int = 3, text: str = '3'):
    with dsl.If(n == '3'):
        say(text='x')
    with dsl.If(text == 3):
        say(text='y')
    with dsl.If(number().output == text):
        say(text='z')


@dsl.pipeline(name='zero-and-one')
def zero_and_one(yes: bool = True):
    with dsl.If(yes == 1):
        say(text='x')
    with dsl.If(yes == 0):
        say(text='y')


@dsl.pipeline(name='quotes')
def quotes(text: str = "it's"):
    with dsl.If(text == "it's"):
        say(text='x')
    with dsl.Elif(text == 'back\\slash'):
        say(text='y')
    with dsl.Else():
        say(text='z')


def beyond():
    """KFP's SDK takes the text of the other side for a number."""
    @dsl.pipeline(name='truth-and-number')
    def truth_and_number(n: int = 1):
        with dsl.If(flag().output == n):
            say(text='x')
        with dsl.If(n == True):  # noqa: E712
            say(text='y')

    return [truth_and_number]


PIPELINES = [of_one_type, of_truth, number_and_real, number_and_text, zero_and_one, quotes]
