"""Running here and now: `local.run` takes what the pipeline takes and gives a run."""

from headrace import dsl, local


@dsl.component
def add(a: int, b: int = 2) -> int:
    return a + b


@dsl.pipeline
def chain(start: int = 1) -> None:
    add(a=start)


local.init(inline=True, loglevel="warning")
run = local.run(chain, start=3)
state: str = run.state
log: str = run.tasks["add"].log
local.run(add, a=1, b=2)
local.run(chain, start="three")  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
local.run(chain, stop=3)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
missing = run.sate  # wrong: mypy[attr-defined] plugin[attr-defined] pyright[reportAttributeAccessIssue]
local.init(inline="yes")  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
