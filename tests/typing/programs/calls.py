"""What a component's call takes: its own parameters, by name, of their types."""

# fmt: off

from headrace import dsl
from headrace.dsl import Dataset, EmbeddedInput, Input, InputPath, Model, Output, OutputPath


@dsl.component
def train(
    rate: float,
    data: Input[Dataset],
    model: Output[Model] = dsl.OUTPUT,
    epochs: int = 3,
) -> str:
    model.framework = data.name
    return "trained"


@dsl.component(base_image="python:3.12", packages_to_install=["numpy"])
def tune(rates: list[float], table: InputPath[Dataset]) -> int:
    return len(rates) + len(open(table).read())


@dsl.container_component
def show(text: str, times: int = 1) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="busybox", command=["echo", text], args=[str(times)])


@dsl.component
def report(
    title: str,
    model: Output[Model],
    path: OutputPath[str],
    files: EmbeddedInput[Dataset],
    status: dsl.PipelineTaskFinalStatus,
    config: dsl.TaskConfig,
) -> None:
    print(title, model.path, path.upper(), files.path, status.state, config.env)


@dsl.pipeline(name="inner")
def inner(rate: float, steps: int = 2) -> str:
    return show(text="a").output  # type: ignore[no-any-return]


@dsl.pipeline
def whole(rate: float, data: Input[Dataset]) -> None:
    task = train(rate=rate, data=data)
    tuned = tune(rates=[rate, 0.5], table=task.outputs["model"])
    train(rate=tuned.output, data=task.outputs["model"], epochs=5).set_display_name("again").after(task)
    train(rate="fast", data=data)  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    train(data=data)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
    train(rate=1, data=data, epoch=3)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
    train(rate=1, data=3)  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    train(rate, data)  # wrong: plugin[call-arg]
    train(rate=1, data=data, model=Model())  # wrong: plugin[call-arg]
    tune(rates=1, table="a")  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    show(text=3)  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    show()  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
    show(text="a", times=task.output)
    inner(rate=0.5)
    inner(rate=0.5, step=3)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
    inner(rate="fast")  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    task.set_cpu_limits("1")  # wrong: mypy[attr-defined] plugin[attr-defined] pyright[reportAttributeAccessIssue]


@dsl.pipeline
def given_by_the_platform() -> None:
    report(title="a")  # wrong: mypy[call-arg] pyright[reportCallIssue]
    report()  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
