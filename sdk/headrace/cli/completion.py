"""`headrace completion SHELL`: a script that completes commands, options, files and run ids. No package is needed for it.

Each script walks over the words before the cursor to the command that they name, and then looks up in tables what can follow.
Run ids are asked of the platform when they are wanted: `headrace completion runs`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from headrace.cli.completing import Command, Option, Value

RUN_IDS = 50  # of the newest runs
PATIENCE = 2.0  # seconds for a platform that does not answer: somebody waits at a prompt


def script(shell: str, top: Command) -> str:
    """The script for SHELL."""
    makers: dict[str, Callable[[Command], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return "\n".join(makers[shell](top))


async def run_ids() -> list[str]:
    """`id<TAB>name` of the newest runs; none where no platform answers."""
    from headrace.api.calls import Calls
    from headrace.display.texts import one_line
    from headrace.errors import HeadraceError

    try:
        async with asyncio.timeout(PATIENCE), Calls.to(None) as client:
            runs = await client.runs.list(limit=RUN_IDS)
    except (HeadraceError, TimeoutError):
        return []
    return [f"{run.run_id}\t{one_line(run.display_name)} {run.state.lower()}" for run in runs]


def _at(command: Command) -> str:
    return " ".join(command.path)


def _patterns(command: Command, option: Option) -> str:
    return "|".join(f"'{_at(command)}:{flag}'" for flag in option.flags)


def _walk(top: Command) -> str:
    """The shell's pattern of every way down: the command so far, and the word that leads on."""
    return "|".join(f"'{' '.join(one.path[:-1])}:{one.path[-1]}'" for one in top.all() if one.path)


def _taking(top: Command) -> str:
    """The shell's pattern of every option that takes the word after it."""
    return "|".join(_patterns(one, option) for one in top.all() for option in one.options if option.value is not None)


def _first(text: str) -> str:
    """A help text as a shell's table takes it: what a reader sees in one row, with no quotes of a shell's."""
    return text.partition(";")[0].partition(" (")[0].replace("'", "’").replace("`", "").replace("%%", "%")


def _walking(top: Command, first: int, end: str, word: str) -> Iterator[str]:
    """In bash and zsh: the command that the words before the cursor name (`at`), and how many values follow it (`count`)."""
    yield "    local at='' skip='' index count=0"
    yield f"    for ((index = {first}; index < {end}; index++)); do"
    yield "        if [[ -n $skip ]]; then skip=''; continue; fi"
    yield f'        case "$at:{word}" in'
    yield f'            {_walk(top)}) at="${{at:+$at }}{word}" ;;'
    yield f"            {_taking(top)}|*:=) skip=1 ;;"
    yield "            *:-*) ;;"
    yield "            *) ((++count)) ;;"
    yield "        esac"
    yield "    done"


def _bash(top: Command) -> Iterator[str]:
    yield '# headrace: completion for bash; in ~/.bashrc: eval "$(headrace completion bash)"'
    yield "_headrace() {"
    yield "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words='' kind=''"
    yield from _walking(top, 1, "COMP_CWORD", "${COMP_WORDS[index]}")
    yield "    if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi"
    yield "    COMPREPLY=()"
    yield '    case "$at:$prev" in'
    for command in top.all():
        for option in command.options:
            if option.value is not None:
                yield f"        {_patterns(command, option)}) {_bash_value(option.value) or 'return'} ;;"
    yield '        *) case "$at:$count:$cur" in'
    for command in top.all():
        flags = " ".join(flag for option in command.options for flag in option.flags)
        yield f"            '{_at(command)}:'*:-*) words='{flags}' ;;"
        if command.below:
            yield f"            '{_at(command)}:'*) words='{' '.join(one.path[-1] for one in command.below)}' ;;"
        for place, value in enumerate(command.values):
            yield f"            '{_at(command)}:{place}:'*) {_bash_value(value) or ':'} ;;"
    yield "        esac ;;"
    yield "    esac"
    yield '    case "$kind" in'
    yield '        files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;'
    yield '        folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;'
    yield "        runs) words=\"latest $(headrace completion runs 2>/dev/null | cut -f 1 | tr '\\n' ' ')\" ;;"
    yield "    esac"
    yield '    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")'
    yield "}"
    yield "complete -F _headrace headrace"


def _bash_value(value: Value) -> str:
    if value.words:
        return f"words='{' '.join(value.words)}'"
    return f"kind={value.kind}" if value.kind else ""


def _zsh(top: Command) -> Iterator[str]:
    yield "#compdef headrace"
    yield '# headrace: completion for zsh; in ~/.zshrc, after compinit: eval "$(headrace completion zsh)"'
    yield "_headrace_runs() {"
    yield "    local -a ids; local id"
    yield "    ids=(latest:'the newest run')"
    yield "    for id in ${(f)\"$(headrace completion runs 2>/dev/null)\"}; do ids+=(\"${id%%$'\\t'*}:${id#*$'\\t'}\"); done"
    yield "    _describe run ids"
    yield "}"
    yield "_headrace() {"
    yield "    local prev=${words[CURRENT-1]} cur=${words[CURRENT]}"
    yield "    local -a rows"
    yield from _walking(top, 2, "CURRENT", "${words[index]}")
    yield '    case "$at:$prev" in'
    for command in top.all():
        for option in command.options:
            if option.value is not None:
                yield f"        {_patterns(command, option)}) {_zsh_value(option.value) or ':'}; return ;;"
    yield "    esac"
    yield '    case "$at:$count:$cur" in'
    for command in top.all():
        flags = " ".join(f"'{flag}:{_zsh_text(option.help)}'" for option in command.options for flag in option.flags)
        yield f"        '{_at(command)}:'*:-*) rows=({flags}); _describe -o option rows ;;"
        if command.below:
            below = " ".join(f"'{one.path[-1]}:{_zsh_text(one.help)}'" for one in command.below)
            yield f"        '{_at(command)}:'*) rows=({below}); _describe command rows ;;"
        for place, value in enumerate(command.values):
            yield f"        '{_at(command)}:{place}:'*) {_zsh_value(value) or ':'} ;;"
    yield "    esac"
    yield "}"
    yield 'if [[ $funcstack[1] == _headrace ]]; then _headrace "$@"; else compdef _headrace headrace; fi'


def _zsh_value(value: Value) -> str:
    if value.words:
        return f"compadd -- {' '.join(value.words)}"
    return {"files": "_files", "folders": "_files -/", "runs": "_headrace_runs"}.get(value.kind, "")


def _zsh_text(text: str) -> str:
    return _first(text).replace(":", "\\:")


def _fish(top: Command) -> Iterator[str]:
    yield "# headrace: completion for fish; in ~/.config/fish/config.fish: headrace completion fish | source"
    yield "function __headrace_at"
    yield "    set -l at ''; set -l skip ''; set -l count 0"
    yield "    for word in (commandline -opc)[2..-1]"
    yield "        if test -n \"$skip\"; set skip ''; continue; end"
    yield '        switch "$at:$word"'
    yield f"            case {_walk(top).replace('|', ' ')}"
    yield '                set at (string trim "$at $word")'
    yield f"            case {_taking(top).replace('|', ' ')}"
    yield "                set skip 1"
    yield "            case '*:-*'"
    yield "            case '*'"
    yield "                set count (math $count + 1)"
    yield "        end"
    yield "    end"
    yield '    test "$at" = "$argv[1]"; and test -z "$argv[2]" -o "$count" = "$argv[2]"'
    yield "end"
    yield "complete -c headrace -f"
    for command in top.all():
        here = f'complete -c headrace -n \'__headrace_at "{_at(command)}"'
        for below in command.below:
            yield f"{here}' -a '{below.path[-1]}' -d '{_first(below.help)}'"
        for place, value in enumerate(command.values):
            yield f"{here} {place}'{_fish_value(value, option=False)}"
        for option in command.options:
            flags = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.flags)
            takes = _fish_value(option.value, option=True) if option.value is not None else ""
            yield f"{here}' {flags}{takes} -d '{_first(option.help)}'"


def _fish_value(value: Value, *, option: bool) -> str:
    if value.words:
        return f" -{'x' if option else 'f'} -a '{' '.join(value.words)}'"
    if value.kind == "runs":
        return f" -{'x' if option else 'f'} -a 'latest (headrace completion runs 2>/dev/null)'"
    if value.kind == "folders":
        return " -x -a '(__fish_complete_directories)'"
    if value.kind == "files":
        return " -r -F" if option else " -F"
    return " -x" if option else " -f"
