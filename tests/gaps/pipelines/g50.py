"""Work that lasts, with an exit task: what a terminate makes of them."""

from kfp import dsl


@dsl.container_component
def work():
    return dsl.ContainerSpec("busybox", ["sh", "-ec", "sleep 60"])


@dsl.container_component
def tidy(status: dsl.PipelineTaskFinalStatus, told: dsl.OutputPath(str)):
    return dsl.ContainerSpec("busybox", ["sh", "-ec", 'mkdir -p "$(dirname "$1")"; printf %s "$0" > "$1"', status, told])


@dsl.pipeline(name="g50")
def pipeline():
    with dsl.ExitHandler(tidy(), name="guarded"):
        work()
