"""What a command's task is told where carrying it out met a fault of ours. Pure; called by dispatching.py.

Commands are derived from state and asked for again after a restart: a fault that ended the scheduler would end it at every start.
"""

from __future__ import annotations

from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.commands import AskCache, Import, ReadValues, StartAttempt
from headrace_scheduler.engine.facts import AttemptEnded, CacheAnswered, Fact, Imported, Missing, ValuesRead


def fault_of(command: AskCache | Import | ReadValues | StartAttempt, fault: BaseException) -> Fact:
    """The answer to COMMAND: a task whose cache cannot be asked runs, any other fails with the reason."""
    sentence = f"the platform met a fault of its own ({type(fault).__name__}); the scheduler's log says more"
    match command:
        case AskCache():
            return CacheAnswered(command.path, key="", unavailable=True)
        case Import():
            return Imported(command.path, None, sentence, command.number)
        case ReadValues():
            return ValuesRead(command.path, {ref.uri: Missing(sentence) for ref in command.refs})
        case StartAttempt():
            error = ev.Error(reason="Internal", message=sentence, failure_class=ev.INFRASTRUCTURE)
            result = attempts_pb2.AttemptResult(state=ev.ATTEMPT_FAILED, error=error)
            return AttemptEnded(command.path, command.number, result)
