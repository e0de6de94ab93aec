# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is worth a file: a verdict on a command, or a state that the gate enters."""

from collections.abc import Collection

from wm_ros.msg import ActionChunk, GateState, Verdict

_DECISIONS = {Verdict.VETO: 'veto', Verdict.ABSTAIN: 'abstain', Verdict.INVALID: 'invalid'}
_STATES = {GateState.HOLD: 'hold', GateState.ESTOP: 'estop'}
_MAX_PROBES = 64
PROBE = 'probe'


class Trigger:
    """
    Tells which messages trigger; belongs to one thread.

    The gate's own probes, which it sends while it waits, are no commands and trigger nothing.

    :param kinds: of ``wm_ros.ros.evidence_config.TRIGGERS``.
    """

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = frozenset(kinds)
        self._probes: dict[int, None] = {}
        self._state: int | None = None

    def see_chunk(self, message: ActionChunk) -> None:
        """Note a question of the gate."""
        if message.source == PROBE:
            self._probes[message.chunk_id] = None
            while len(self._probes) > _MAX_PROBES:
                self._probes.pop(next(iter(self._probes)))

    def see_verdict(self, message: Verdict) -> str:
        """Return the kind of trigger that a verdict is, '' if it is none."""
        kind = _DECISIONS.get(message.decision, '')
        return kind if kind in self._kinds and message.chunk_id not in self._probes else ''

    def see_state(self, message: GateState) -> str:
        """Return the kind of trigger that a state is, '' unless the gate has just entered it."""
        before, self._state = self._state, message.state
        kind = _STATES.get(message.state, '')
        is_new = before is not None and before != message.state
        return kind if kind in self._kinds and is_new else ''
