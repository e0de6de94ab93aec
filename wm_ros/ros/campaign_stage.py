# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where a walk takes place: it waits, ends what lasts, and remembers what was really injected.

The main rule: a fault counts when it took effect, not when it was planned: a changed verdict when
it was passed on, a signal when it was sent, a request when it was made.
"""

import heapq
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from std_srvs.srv import SetBool, Trigger

from wm_ros.datatypes import Reason
from wm_ros.faults.campaign_action import Action
from wm_ros.faults.campaign_judge import Violation
from wm_ros.faults.campaign_timeline import Timeline
from wm_ros.msg import GateState
from wm_ros.ros.campaign_rig import CampaignRig

_POLL_S = 0.002
# A person who sees the stop latched without having pressed anything clears it after this.
_CLEAR_AFTER_S = 0.3
_CLEAR_AGAIN_S = 0.2
_NOTE_WAIT_S = 0.02
# After the last action, so that it too has its effect before everything is healed.
_LAST_S = 0.2

Act = Callable[['Stage', Action], bool]


class Stage:
    """
    Carry out the actions of one walk.

    :param rig: in its known state.
    :param acts: what carries out each kind; it returns whether the fault took effect at once.
    """

    def __init__(self, rig: CampaignRig, acts: dict[str, Act]) -> None:
        self.rig = rig
        self._acts = acts
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []
        # When each action was begun, ns.
        self.begun: list[int] = []
        self._ends: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self._stopped_s: float | None = None
        self.is_stop_wanted = False
        self.is_disengage_wanted = False
        self._next_note_s = self._next_engage_s = 0.0
        # At most one action at a time may take the gate out of the active state.
        self.is_gate_away = False
        # Counts the gates of this walk: what one was told the next one does not know.
        self.life = 0
        self._answers: list[tuple[Any, Callable[[Any], Violation | None]]] = []

    @property
    def timeline(self) -> Timeline:
        """Return what is done to clocks and processes."""
        return self.rig.observer.timeline

    def play(self, actions: Sequence[Action]) -> None:
        """
        Carry out actions, and end everything that lasts.

        :raises WorldModelError: if the graph does not answer any more.
        """
        for action in actions:
            self.wait(action.gap_ms / 1e3)
            self.begun.append(time.time_ns())
            if self._acts[action.kind](self, action) and action.kind != 'move':
                self.count(action)
        self.wait(_LAST_S)
        self.end_all()

    def count(self, action: Action) -> None:
        """Note that a fault took effect."""
        self.counts[f'{action.kind} {action.variant}'] += 1

    def end_later(self, for_ms: int, end: Callable[[], object]) -> None:
        """End something after a time, while others go on."""
        at_s = time.monotonic() + for_ms / 1e3
        heapq.heappush(self._ends, (at_s, next(self._number), end))

    def end_all(self) -> None:
        """End at once everything that lasts, and read the answers that have come."""
        while self._ends:
            heapq.heappop(self._ends)[2]()
        self._read_answers()

    def wait(self, seconds: float) -> None:
        """Wait, and meanwhile end what is due."""
        deadline = time.monotonic() + seconds
        while True:
            now_s = time.monotonic()
            while self._ends and self._ends[0][0] <= now_s:
                heapq.heappop(self._ends)[2]()
            self._clear_if_stopped()
            self.note_wait(now_s)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(_POLL_S, left_s))

    def ask(self, kind: Any, name: str, request: Any,
            judge: Callable[[Any], Violation | None] = lambda answer: None) -> None:
        """
        Call a service of the gate and go on; an answer is judged when it has come.

        :param judge: gives what an answer breaks, None for nothing.
        """
        client = self.rig.calls.client(kind, f'{self.rig.gate_name}/{name}')
        self._answers.append((client.call_async(request), judge))

    def _engage_again(self, state: GateState | None) -> None:
        """Engage again: the gate refuses that while it is stopped."""
        is_due = time.monotonic() >= self._next_engage_s and not self.is_disengage_wanted
        if is_due and state is not None and state.reasons & Reason.NOT_ENGAGED:
            self._next_engage_s = time.monotonic() + _CLEAR_AGAIN_S
            self.engage()

    def engage(self) -> None:
        """Ask the gate to engage; from then on it may release."""
        self.timeline.close_windows(time.time_ns(), 'engaged')
        self.ask(SetBool, 'engage', SetBool.Request(data=True))

    def note_wait(self, now_s: float = math.inf) -> None:
        """Note how long the gate has waited for a processor; a busy machine is not its fault."""
        if now_s >= self._next_note_s:
            self._next_note_s = time.monotonic() + _NOTE_WAIT_S
            self.timeline.waits.append((time.time_ns(), self.rig.waited_ns()))

    def _read_answers(self) -> None:
        left = []
        for future, judge in self._answers:
            if not future.done():
                left.append((future, judge))
            elif (violation := judge(future.result())) is not None:
                self.violations.append(violation)
        self._answers = left

    def _clear_if_stopped(self) -> None:
        """Clear a stop that nobody asked for, as a person would."""
        self._read_answers()
        state = self.rig.observer.state
        self._engage_again(state)
        is_stopped = state is not None and state.state == GateState.ESTOP
        if not is_stopped or self.is_stop_wanted:
            self._stopped_s = None
            return
        now_s = time.monotonic()
        if self._stopped_s is None:
            self._stopped_s = now_s
        elif now_s - self._stopped_s > _CLEAR_AFTER_S:
            self.ask_to_clear()
            self._stopped_s = now_s - _CLEAR_AFTER_S + _CLEAR_AGAIN_S

    def forget_gate(self, at_ns: int) -> None:
        """Note that the gate and all that was latched in it is gone."""
        self.life += 1
        self.timeline.close_windows(at_ns)

    def ask_to_clear(self) -> None:
        """Ask the gate to clear its stop; from then on it may."""
        self.timeline.close_windows(time.time_ns(), 'stopped')
        self.ask(Trigger, 'clear_emergency_stop', Trigger.Request())
