"""Whether everything in a pipeline can reach what it needs: values across the borders of groups, order without circles, what is
returned. Called once, when the pipeline's function has returned; the compiler relies on it.

A value that is made inside of a branch, a loop or an exit handler is there once, never or many times; outside, only OneOf and
Collected say which.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from headrace import kfp_alias
from headrace.dsl.channels import Channel, Collected, Condition, LoopArtifact, LoopItem, LoopItemField, OneOf
from headrace.dsl.groups import BranchesGroup, ConditionGroup, ExitHandlerGroup, Group, LoopGroup, path_of
from headrace.dsl.marks import marks_in
from headrace.dsl.mistakes import Where, mistake
from headrace.dsl.tasks import PipelineTask

Place = PipelineTask | Group


def check(root: Group, outputs: Mapping[str, Channel], where: Where) -> None:
    """A mistake where the pipeline of ROOT cannot be run as it is written."""
    places = list(_places(root))
    for place in places:
        if isinstance(place, Group) and not place.children:
            raise mistake(f"{_begun(place)} has nothing inside; call a component in it, or remove it.", place.where)
        for channel in _used_by(place):
            _check_reach(channel, place)
        for other in place.after_ if isinstance(place, PipelineTask) else place.after:
            _check_order(other, place)
    for name, channel in outputs.items():
        _check_returned(name, channel, where)
    _check_circles(places)


def _places(group: Group) -> Iterator[Place]:
    for child in group.children:
        yield child
        if isinstance(child, Group):
            yield from _places(child)


def _used_by(place: Place) -> Iterator[Channel]:
    """The channels that a task or the head of a group needs."""
    if isinstance(place, PipelineTask):
        yield from _inside(list(place.inputs.values()))
        yield from _set_on(place)
    elif isinstance(place, LoopGroup) and isinstance(place.items, Channel):
        yield place.items
    elif isinstance(place, ConditionGroup):
        for condition in _conditions(place):
            yield from _inside([condition.left, condition.right])


def _set_on(task: PipelineTask) -> Iterator[Channel]:
    """The channels in what setters said: these may be of tasks that were made later."""
    settings = task.settings
    yield from _inside(
        [
            settings.image,
            *settings.env.values(),
            *(getattr(settings, f"{each}_{side}") for each in ("cpu", "memory") for side in ("request", "limit")),
            settings.accelerator_type,
            settings.accelerator_limit,
        ]
    )
    if task.platform_config:
        yield from _inside(task.platform_config)
    yield from task.registered


def _conditions(group: ConditionGroup) -> list[Condition]:
    return [*group.negated, *([group.condition] if group.condition is not None else [])]


def _inside(value: Any) -> Iterator[Channel]:
    if isinstance(value, Channel):
        yield value
    elif isinstance(value, str):
        yield from marks_in(value).values()
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _inside(key)
            yield from _inside(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _inside(each)


# values


def _check_reach(channel: Channel, place: Place) -> None:
    """Whether PLACE can have what CHANNEL is."""
    origin = _origin(channel)
    if isinstance(origin, (LoopItem, LoopArtifact)):
        if origin.loop not in path_of(place):
            raise mistake(
                f"{_begun(place)} uses {channel.described()}, which exists inside of that loop only; move it into "
                f"the `with dsl.ParallelFor`.",
                place.where,
            )
        return
    producer = _producer(origin)
    if producer is None:
        return
    if isinstance(channel, Collected):
        _check_collected(channel, place)
        return
    if producer is place:
        raise mistake(
            f"{_begun(place)} uses {channel.described()}, which is its own; use the output of another task.",
            place.where,
        )
    if producer in path_of(place):
        raise mistake(
            f"{_begun(place)} uses {channel.described()}, which it is inside of; move it out of there.", place.where
        )
    outer = _first_uncommon(producer, place)
    if outer is not None and not isinstance(outer, BranchesGroup):
        raise mistake(
            f"{_begun(place)} uses {channel.described()}, {_shut_in(outer)}; {_way_out_of(outer)}.", place.where
        )
    if outer is not None:
        inner = _below(outer, producer)
        raise mistake(
            f"{_begun(place)} uses {channel.described()}, {_shut_in(inner)}; {_way_out_of(inner)}.", place.where
        )


def _origin(channel: Channel) -> Channel:
    """The item where CHANNEL is a field of one; else CHANNEL itself."""
    return channel.item if isinstance(channel, LoopItemField) else channel


def _producer(channel: Channel) -> Place | None:
    return channel.branches if isinstance(channel, OneOf) else channel.producer


def _check_collected(channel: Collected, place: Place | None) -> None:
    assert channel.producer is not None
    user = _begun(place) if place is not None else "The pipeline"
    where = place.where if place is not None else None
    uncommon = _uncommon(channel.producer, place)
    if not any(isinstance(each, LoopGroup) for each in uncommon):
        found = mistake(
            f"{user} uses {channel.described()}, which is in no dsl.ParallelFor that {user[0].lower()}{user[1:]} "
            "is outside of; use the output itself.",
            where,
        )
        if place is None and kfp_alias.is_on() and uncommon:
            # KFP's SDK lets it pass, and files of its own project have it
            warnings.warn(str(found), UserWarning, stacklevel=2)
            return
        raise found
    if not isinstance(uncommon[0], LoopGroup):
        outer = _below(uncommon[0], channel.producer) if isinstance(uncommon[0], BranchesGroup) else uncommon[0]
        raise mistake(
            f"{user} uses {channel.described()}, whose loop is inside of {outer.name!r} ({outer.written}); "
            f"collect it inside of that {outer.written}.",
            where,
        )


def _uncommon(producer: Place, place: Place | None) -> list[Group]:
    """The groups around PRODUCER that are not around PLACE (None: the pipeline itself), the outermost first."""
    around = path_of(place) if place is not None else path_of(producer)[:1]
    return [each for each in path_of(producer) if each not in around]


def _first_uncommon(producer: Place, place: Place) -> Group | None:
    uncommon = _uncommon(producer, place)
    return uncommon[0] if uncommon else None


def _below(branches: Group, producer: Place) -> Group:
    """The branch of BRANCHES that PRODUCER is in."""
    path = [*path_of(producer), producer]
    below = path[path.index(branches) + 1]
    assert isinstance(below, Group)
    return below


def _shut_in(outer: Group) -> str:
    return f"which is inside of {outer.name!r} ({outer.written}, {outer.where})"


def _way_out_of(outer: Group) -> str:
    if isinstance(outer, LoopGroup):
        return "take all of them with dsl.Collected(...), or move it into that loop"
    if isinstance(outer, ExitHandlerGroup):
        return "move it into that dsl.ExitHandler"
    return "take one output of each branch with dsl.OneOf(...), or move it into that branch"


# order


def _check_order(other: Place, place: Place) -> None:
    """Whether PLACE can run after OTHER, which may be in a loop, but in no branch or exit handler that PLACE is outside of."""
    uncommon = _uncommon(other, place)
    if not uncommon or isinstance(uncommon[0], LoopGroup):
        return
    outer = _below(uncommon[0], other) if isinstance(uncommon[0], BranchesGroup) else uncommon[0]
    if outer is other:
        return
    raise mistake(
        f"{_begun(place)} is to run after {other.name!r}, {_shut_in(outer)}; "
        f"write .after(group) with the group of `with {outer.written}(...) as group:`.",
        place.where,
    )


def _check_circles(places: list[Place]) -> None:
    """Groups wait for all that anything inside of them waits for."""
    handlers: dict[Place, Group] = {each.exit_task: each for each in places if isinstance(each, ExitHandlerGroup)}
    if not handlers and not any(_may_wait_for_later(place) for place in places):
        return
    waits: dict[Place, dict[Place, Place]] = {place: {} for place in places}
    for place in places:
        for other in _before(place, handlers):
            here, there = _siblings(place, other)
            if here is not there:
                waits[here].setdefault(there, place)
    done: set[Place] = set()
    for place in places:
        _follow(place, waits, done)


def _may_wait_for_later(place: Place) -> bool:
    """Whether it may wait for what was made after it: an input is always made before, so without these there are no circles."""
    if isinstance(place, PipelineTask):
        return bool(place.after_) or next(_set_on(place), None) is not None
    return bool(place.after)


def _before(place: Place, handlers: Mapping[Place, Group]) -> Iterator[Place]:
    for channel in _used_by(place):
        producer = _source(channel)
        if producer is not None:
            yield producer
    yield from place.after_ if isinstance(place, PipelineTask) else place.after
    if place in handlers:
        yield handlers[place]


def _source(channel: Channel) -> Place | None:
    """The task or group whose result CHANNEL is made of."""
    channel = _origin(channel)
    while isinstance(channel, (LoopItem, LoopArtifact)) and channel.items is not None:
        channel = _origin(channel.items)
    return _producer(channel)


def _siblings(place: Place, other: Place) -> tuple[Place, Place]:
    """PLACE and OTHER, or the groups around them, in the innermost group that they share."""
    left, right = [*path_of(place), place], [*path_of(other), other]
    shared = 0
    while shared < min(len(left), len(right)) and left[shared] is right[shared]:
        shared += 1
    return left[min(shared, len(left) - 1)], right[min(shared, len(right) - 1)]


def _follow(start: Place, waits: Mapping[Place, Mapping[Place, Place]], done: set[Place]) -> None:
    """A mistake where START waits for itself. Without recursion: a chain may have thousands of tasks."""
    if start in done:
        return
    path: list[Place] = [start]
    open_ = {start}
    branches = [iter(waits[start])]
    while branches:
        following = next(branches[-1], None)
        if following is None:
            branches.pop()
            ended = path.pop()
            open_.discard(ended)
            done.add(ended)
        elif following in open_:
            circle = [*path[path.index(following) :], following]
            because = waits[circle[-2]][circle[-1]]
            names = " after ".join(repr(each.name) for each in circle)
            raise mistake(
                f"{names} can never run: each waits for the next; remove one .after() or setting.", because.where
            )
        elif following not in done:
            path.append(following)
            open_.add(following)
            branches.append(iter(waits[following]))


# what is returned


def _check_returned(name: str, channel: Channel, where: Where) -> None:
    if isinstance(channel, Collected):
        _check_collected(channel, None)
        return
    producer = _producer(channel)
    if producer is None:
        raise mistake(
            f"The pipeline returns {channel.described()} as {name!r}, but it can return outputs of tasks only; "
            "return the output of a component that returns it.",
            where,
        )
    uncommon = _uncommon(producer, None)
    if uncommon:
        outer = _below(uncommon[0], producer) if isinstance(uncommon[0], BranchesGroup) else uncommon[0]
        way = "return dsl.Collected(...)" if isinstance(outer, LoopGroup) else "return dsl.OneOf(...) of all branches"
        way = "take it from a task outside of that" if isinstance(outer, ExitHandlerGroup) else way
        raise mistake(f"The pipeline returns {channel.described()} as {name!r}, {_shut_in(outer)}; {way}.", where)


def _begun(place: Place) -> str:
    if isinstance(place, PipelineTask):
        return f"The task {place.name!r}"
    return f"{place.written} {place.name!r}"
