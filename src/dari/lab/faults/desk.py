"""Breaks, checks, gives hints and mends: what the verbs of `dari lab` do.

May import: errors, language, and within lab: state; within lab.faults: everything.
"""

from __future__ import annotations

import random
import time

from dari.errors import BadConfig, DariError
from dari.lab.faults import agents, inside, watch
from dari.lab.faults.catalogue import find, possible
from dari.lab.faults.choice import cast_for, scene_of
from dari.lab.faults.exercise import Exercise, Notebook
from dari.lab.faults.fault import DIES, LIVES, RESTARTS, Fault
from dari.lab.faults.scene import Scene
from dari.lab.state import Records, State
from dari.lab.topology import plan
from dari.language import Messages
from dari.record import Record

_ = Messages("lab")
_AT_FIRST = 20.0  # seconds in which everything has to be well before something is broken
_TO_SHOW = 1.0  # seconds in which a packet has to fail for the fault to be seen
_AT_MOST = 40.0  # seconds in which a fault has to show: agents ask a server every ten
_AGAIN = 0.2  # seconds between two looks

TO_RECOVER = 45.0
"""Seconds after which a mended lab is well again at the latest: an agent asks a store that it
lost every thirty."""


class Checked(Record):
    """What `dari lab check` found of one exercise; mended where nothing is wrong."""

    exercise: Exercise
    wrong: tuple[str, ...]


class Desk:
    """The exercises of a lab that lives.

    Args:
        records: of this user's labs.
        state: the lab's.
    """

    def __init__(self, records: Records, state: State) -> None:
        self._state = state
        self._notebook = Notebook(records, state)

    def exercises(self) -> tuple[Exercise, ...]:
        """What is broken, as far as it was not seen to be mended."""
        return self._notebook.read()

    def meant(self, name: str) -> list[Exercise]:
        """The exercise of a fault, or all where no name is given.

        Raises:
            BadConfig: nothing is broken, or not that.
        """
        found = [one for one in self.exercises() if name in ("", one.fault)]
        if not found:
            raise BadConfig(
                _("{fault} is not broken in this lab").format(fault=name or _("anything")),
                _("`dari lab break` breaks something"),
            )
        return found

    def possible(self) -> list[Fault]:
        """What can be broken in this lab."""
        return possible(plan(self._state.options))

    def choose(self, name: str, place: str, dice: random.Random, *, level: int = 0) -> Exercise:
        """Decide what to break, and where.

        Args:
            name: of a fault; empty: any that is not broken yet.
            place: a node or pod; empty: any.
            level: of a fault that is not named; 0: any.

        Raises:
            BadConfig: it cannot be broken in this lab, or is broken already.
        """
        broken = {one.fault for one in self.exercises()}
        able = [each for each in self.possible() if each.name not in broken]
        if name:
            find(name)
            if name in broken:
                raise BadConfig(_("{fault} is broken already").format(fault=name))
            able = [each for each in able if each.name == name]
        elif level:
            able = [each for each in able if each.level == level]
        if not able:
            raise BadConfig(
                _("{fault} cannot be broken in this lab").format(fault=name or _("anything more")),
                _("`dari lab break --list` tells what each fault needs"),
            )
        cast = cast_for(plan(self._state.options), place, dice)
        return Exercise(fault=dice.choice(able).name, cast=cast)

    def break_(self, exercise: Exercise) -> list[str]:
        """Break it, and see that it shows; what is wrong now, in words.

        Raises:
            DariError: the lab was not well in this respect before, or the fault cannot be
                seen: it is undone then.
        """
        fault, scene = self._read(exercise)
        before = watch.wrong(self._state, scene, fault.watched(scene), _AT_FIRST)
        if before:
            raise DariError(
                _("{fault} would not be seen: {trouble} already").format(
                    fault=_("this") if exercise.secret else fault.name, trouble=before[0]
                ),
                _("mend that first, or break something else"),
            )
        self._notebook.write([*self.exercises(), exercise])
        try:
            self._inject(fault, scene)
            seen = self._showing(fault, scene)
        except DariError:
            self.mend(exercise)
            raise
        if not seen:
            self.mend(exercise)
            raise DariError(
                _("{fault} was broken, and nothing shows; it was undone").format(fault=fault.name)
            )
        return seen

    def check(self, exercise: Exercise, seconds: float = TO_RECOVER) -> Checked:
        """Look whether it is mended; it is forgotten then.

        Args:
            seconds: what is wrong is looked at again for so long.

        Raises:
            DariError: the lab cannot be looked into.
        """
        fault, scene = self._read(exercise)
        found = watch.wrong(self._state, scene, fault.watched(scene), seconds)
        if not found:
            self._forget(exercise)
        return Checked(exercise=exercise, wrong=tuple(found))

    def hint(self, exercise: Exercise) -> Exercise:
        """Give the next hint, or the last one again; the exercise with that noted."""
        most = len(find(exercise.fault).hints) + 1
        after = exercise.replace(told=min(exercise.told + 1, most))
        self._notebook.write([after if one == exercise else one for one in self.exercises()])
        return after

    def mend(self, exercise: Exercise) -> None:
        """Take back what was broken, in part or whole; it is forgotten then.

        Raises:
            DariError: the agent does not start.
        """
        fault, scene = self._read(exercise)
        if fault.agent == RESTARTS:
            agents.kill(self._state, scene.cast.node)
        for command in fault.undo(scene):
            inside.run(self._state, command)  # a part of it may have been mended already
        if fault.agent != LIVES:
            agents.start(self._state, scene.cast.node)
        self._forget(exercise)

    def _read(self, exercise: Exercise) -> tuple[Fault, Scene]:
        return find(exercise.fault), scene_of(self._state, exercise.cast)

    def _inject(self, fault: Fault, scene: Scene) -> None:
        node = scene.cast.node
        if fault.agent in (DIES, RESTARTS):
            agents.kill(self._state, node)
        inside.run_all(self._state, fault.inject(scene))
        if fault.agent == RESTARTS:
            agents.start(self._state, node)

    def _showing(self, fault: Fault, scene: Scene) -> list[str]:
        deadline = time.monotonic() + _AT_MOST
        sights = fault.sights(scene)
        while not (seen := watch.wrong(self._state, scene, sights, _TO_SHOW)):
            if time.monotonic() > deadline:
                break
            time.sleep(_AGAIN)
        return seen

    def _forget(self, exercise: Exercise) -> None:
        self._notebook.write([one for one in self.exercises() if one != exercise])
