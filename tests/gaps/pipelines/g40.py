"""One component, used twice with retry policies of their own; each counts its attempts in a file that they share."""

from kfp import dsl

SCRIPT = 'echo >> "$1"; tries=$(wc -l < "$1"); test "$tries" -ge "$2"; test ! -e "$0" && printf %s "$tries" > "$0"'


@dsl.container_component
def flaky(counter: str, needed: int, tries: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", SCRIPT], [tries, counter, str(needed)])


@dsl.pipeline(name="g40")
def pipeline(one: str, four: str):
    first = flaky(counter=one, needed=1).set_display_name("first").set_caching_options(False)
    first.set_retry(num_retries=0)
    second = flaky(counter=four, needed=4).set_display_name("second").set_caching_options(False)
    second.set_retry(num_retries=3, backoff_duration="0s", backoff_factor=1.5, backoff_max_duration="1s")
