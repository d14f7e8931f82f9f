"""Exit handlers, final status, tolerated failures, retries, caching."""
from kfp import dsl
from parts import double, echo, fail_unless, flaky, greet, status_of


@dsl.pipeline(name='endings-exit-handler')
def exit_handler():
    last = echo(text='the end')
    with dsl.ExitHandler(last):
        echo(text='work')


@dsl.pipeline(name='endings-final-status')
def final_status():
    last = status_of()
    with dsl.ExitHandler(last, name='guarded'):
        double(num=2)


@dsl.pipeline(name='endings-exit-handler-of-a-failure')
def exit_handler_of_a_failure():
    last = status_of()
    with dsl.ExitHandler(last, name='guarded'):
        fail_unless(wanted=False)


@dsl.pipeline(name='endings-loop-in-an-exit-handler')
def loop_in_an_exit_handler():
    last = status_of()
    with dsl.ExitHandler(last, name='guarded'):
        with dsl.ParallelFor([1, 2]) as item:
            double(num=item)


@dsl.pipeline(name='endings-tolerated-failure')
def tolerated_failure():
    failed = fail_unless(wanted=False)
    greet(name='nobody', greeting=failed.output).ignore_upstream_failure()


@dsl.pipeline(name='endings-failure-beside-success')
def failure_beside_success():
    fail_unless(wanted=False)
    echo(text='beside')


@dsl.pipeline(name='endings-retry')
def retry(folder: str, name: str) -> str:
    return flaky(folder=folder, name=name).set_retry(num_retries=3, backoff_duration='0s').output


@dsl.pipeline(name='endings-cache-off')
def cache_off() -> str:
    return echo(text='always').set_caching_options(False).output


PIPELINES = [
    exit_handler, final_status, exit_handler_of_a_failure, loop_in_an_exit_handler, tolerated_failure, failure_beside_success, retry, cache_off,
]
