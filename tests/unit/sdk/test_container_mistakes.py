"""Every mistake with a container component, embedded files and a call is one sentence with file, line and the way out."""

# The functions are wrong on purpose.
# ruff: noqa: UP006, UP035

from typing import List

from builders.mistakes import said
from headrace import dsl

# container components


def test_an_artifact_of_a_container_without_a_side() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: dsl.Model):
            return dsl.ContainerSpec(image="a")

    assert said(define) == (
        "x of train() is an artifact of a container component, so it is Input[Model] or Output[Model]; write which."
    )


def test_an_artifact_itself_in_a_command() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: dsl.Input[dsl.Model]):
            return dsl.ContainerSpec(image="a", command=["run", x])

    def define_text() -> None:
        @dsl.container_component
        def train(x: dsl.Input[dsl.Model]):
            return dsl.ContainerSpec(image="a", command=[f"--model={x}"])

    assert said(define) == "The artifact x itself stands in the command of train(); use its uri, path or metadata."
    assert said(define_text) == "The artifact x itself cannot stand in a command; use its uri, path or metadata."


def test_what_an_artifact_has_not() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: dsl.Input[dsl.Model]):
            return dsl.ContainerSpec(image="a", command=[x.framework])

    assert said(define) == "The artifact x has no 'framework' before it runs; use its uri, path or metadata."


def test_one_of_a_list_of_artifacts() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: dsl.Input[List[dsl.Model]]):
            return dsl.ContainerSpec(image="a", command=[x[0].path])

    def define_path() -> None:
        @dsl.container_component
        def train(x: dsl.Input[List[dsl.Model]]):
            return dsl.ContainerSpec(image="a", command=[x.path])

    assert (
        said(define) == "x is a list of artifacts, of which a command cannot take element 0; pass the list as a whole."
    )
    assert said(define_path) == "x is a list of artifacts, whose path a command cannot use; pass the list as a whole."


def test_something_else_than_text_in_a_command() -> None:
    def define() -> None:
        @dsl.container_component
        def train():
            return dsl.ContainerSpec(image="a", command=["run"], args=["--epochs", 3])

    assert said(define) == "3 in the args of train() is an int; a command holds text and placeholders."


def test_a_command_that_is_one_text() -> None:
    def define() -> None:
        @dsl.container_component
        def train():
            return dsl.ContainerSpec(image="a", command="python train.py")

    assert said(define) == "The command of train() is the text 'python train.py'; make it a list."


def test_no_image() -> None:
    def define() -> None:
        @dsl.container_component
        def train():
            return dsl.ContainerSpec(image="")

    assert said(define) == "train() returned a ContainerSpec whose image is ''; name an image."


def test_a_container_component_that_returns_something_else() -> None:
    def define() -> None:
        @dsl.container_component
        def train():
            return ["run"]

    def define_annotated() -> None:
        @dsl.container_component
        def train() -> int: ...

    assert said(define) == "train() returned ['run']; return a dsl.ContainerSpec."
    assert said(define_annotated) == (
        "What train() returns is a ContainerSpec, not int; outputs are parameters Output[...] or OutputPath(...)."
    )


def test_if_present_of_no_input() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: str):
            return dsl.ContainerSpec(image="a", args=[dsl.IfPresentPlaceholder("y", ["--y", x])])

    assert (
        said(define)
        == "An IfPresentPlaceholder in the args of train() asks for the input 'y', which it has not; it has ['x']."
    )


def test_lists_in_a_concatenation() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: str):
            chosen = dsl.IfPresentPlaceholder("x", ["--x", x])
            return dsl.ContainerSpec(image="a", args=[dsl.ConcatPlaceholder(["a", chosen])])

    assert said(define) == (
        "The IfPresentPlaceholder of 'x' stands in a ConcatPlaceholder, so its `then` and `else_` are one text each, no lists; "
        "put the lists' items into a ConcatPlaceholder."
    )


def test_structures_in_a_text() -> None:
    def define() -> None:
        @dsl.container_component
        def train(x: str):
            return dsl.ContainerSpec(image="a", args=[f"{dsl.ConcatPlaceholder(['a', x])}"])

    def define_choice() -> None:
        @dsl.container_component
        def train(x: str):
            return dsl.ContainerSpec(image="a", args=[f"{dsl.IfPresentPlaceholder('x', x)}"])

    assert said(define) == "A ConcatPlaceholder cannot stand in an f-string; make the whole text one ConcatPlaceholder."
    assert said(define_choice) == (
        "An IfPresentPlaceholder cannot stand in an f-string; put it into a ConcatPlaceholder, or into the list by itself."
    )


# embedded files and settings


def test_an_embedded_input_of_nothing() -> None:
    def define() -> None:
        @dsl.component
        def train(files: dsl.EmbeddedInput[dsl.Dataset]): ...

    assert said(define) == "train() takes an EmbeddedInput, but nothing is embedded; give embedded_artifact_path."


def test_a_passthrough_that_is_none() -> None:
    def define() -> None:
        @dsl.component(task_config_passthroughs=["RESOURCES"])
        def train(x: int): ...

    assert said(define) == "task_config_passthroughs of train() holds 'RESOURCES'; use dsl.TaskConfigField or the like."


# the names that a call gives


@dsl.component
def train_model(learning_rate: float, epochs: int = 3, model: dsl.Output[dsl.Model] = dsl.OUTPUT): ...


def test_inputs_by_position() -> None:
    assert said(lambda: train_model(0.5, 3)) == (
        "train_model() takes its inputs by name; write train_model(learning_rate=…, epochs=…)."
    )


def test_an_input_that_is_misspelt() -> None:
    assert (
        said(lambda: train_model(learning_rat=0.5))
        == "train_model() takes no input 'learning_rat'; write 'learning_rate'."
    )


def test_an_input_that_there_is_not() -> None:
    assert (
        said(lambda: train_model(data=1))
        == "train_model() takes no input 'data'; it takes 'learning_rate' and 'epochs'."
    )


def test_an_output_that_is_given() -> None:
    assert said(lambda: train_model(learning_rate=1, model=1)) == (
        "train_model() takes no input 'model'; it takes 'learning_rate' and 'epochs'."
    )


def test_an_input_that_is_not_given() -> None:
    assert (
        said(lambda: train_model(epochs=1))
        == "train_model() is not given 'learning_rate'; give every input that has no default."
    )


def test_texts_and_inputs_are_added_and_the_decorator_may_have_brackets() -> None:
    @dsl.container_component()
    def train(x: str, rate: float):
        return dsl.ContainerSpec(image="a", command=["--x=" + x, x + ".csv", "a" + str(rate) + "b"])

    x, rate = "{{$.inputs.parameters['x']}}", "{{$.inputs.parameters['rate']}}"
    assert train.implementation.container["command"] == [f"--x={x}", f"{x}.csv", f"a{rate}b"]
