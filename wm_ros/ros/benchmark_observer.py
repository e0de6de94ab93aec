# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An observer that also knows when each message was published, and when the gate held."""

from typing import Any

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Decision, Reason
from wm_ros.msg import ActionChunk, GateState, Verdict
from wm_ros.ros.observer import Observer
from wm_ros.ros.observer_ledger import Passage

_HELD = (GateState.HOLD, GateState.ESTOP)
_KEPT_NS = 30_000_000_000
# The replayed arm moves on while the gate holds; a command that is released has more points.
_HOLD_TOLERANCE_RAD = 0.5
# The gate measures from its own receipt, which may be a little before ours.
_TOLERANCE_NS, _HOLD_WITHIN_NS = 20_000_000, 500_000_000


class BenchmarkObserver(Observer):
    """
    Observe a gate as ``Observer`` does, and keep the publishers' own times.

    Both clocks are this host's: publisher and listener share it.

    **Subscribes** as ``Observer``, without predictions: nobody must make the predictor draw.

    **Threads** one, the executor's.

    :param decision_timeout_s: of the gate; a command without a verdict by then was missed.
    """

    def __init__(self, *, decision_timeout_s: float, **node_arguments: Any) -> None:
        super().__init__(name='benchmark_observer', wants_frames=False, **node_arguments)
        self._timeout_ns = round(decision_timeout_s * 1e9)
        self.num_commands = self.num_joints = 0
        self._sent_ns: dict[bytes, int] = {}
        self._decided_ns: dict[int, int] = {}
        self._released_ns: dict[int, int] = {}
        # When a state was seen and whether it is one in which nothing is released; holds as well.
        self._stances: list[tuple[int, bool]] = []

    def clear(self) -> None:
        """Begin a new ledger."""
        super().clear()
        self.ledger.hold_tolerance_rad = _HOLD_TOLERANCE_RAD

    def finished(self, now_ns: int, *, age_ns: int) -> list[dict[str, Any]]:
        """
        Take the commands that are older than ``age_ns`` out of the ledger, as records.

        Without that every message would be compared with every command of an hour.

        :param now_ns: the middleware's clock, which is the system's.
        """
        self.settle()
        done = [passage for passage in self.ledger.passages
                if now_ns - passage.received_ns > age_ns]
        self.ledger.passages = [passage for passage in self.ledger.passages
                                if now_ns - passage.received_ns <= age_ns]
        records = [self._record(passage) for passage in done]
        self._forget(now_ns - _KEPT_NS)
        return records

    def _forget(self, before_ns: int) -> None:
        """Let go of what no command that is still under way can need."""
        self.ledger.forget(before_ns)
        self._stances = [item for item in self._stances if item[0] > before_ns]
        self._sent_ns = {key: at for key, at in self._sent_ns.items() if at > before_ns}
        self._decided_ns = {key: at for key, at in self._decided_ns.items() if at > before_ns}
        self._released_ns = {key: at for key, at in self._released_ns.items() if at > before_ns}

    def _on_command(self, message: JointTrajectory, at_ns: int) -> None:
        super()._on_command(message, at_ns)
        self.num_commands += 1
        self._sent_ns[self.ledger.passages[-1].digest] = self.source_ns or at_ns

    def _on_chunk(self, message: ActionChunk, at_ns: int) -> None:
        # Probes belong to no command.
        if message.source != 'probe':
            super()._on_chunk(message, at_ns)

    def _on_verdict(self, message: Verdict, at_ns: int) -> None:
        super()._on_verdict(message, at_ns)
        self._decided_ns[message.chunk_id] = self.source_ns or at_ns

    def _on_output(self, message: JointTrajectory, at_ns: int) -> None:
        super()._on_output(message, at_ns)
        self._released_ns[at_ns] = self.source_ns or at_ns
        if len(message.points) == 1:
            self._stances.append((at_ns, True))

    def _on_joints(self, message: JointState, at_ns: int) -> None:
        super()._on_joints(message, at_ns)
        self.num_joints += 1

    def _on_state(self, message: GateState, at_ns: int) -> None:
        super()._on_state(message, at_ns)
        self._stances.append((at_ns, message.state in _HELD))

    def _record(self, passage: Passage) -> dict[str, Any]:
        """Say what became of a command; times in ms, None where there is none."""
        sent_ns = self._sent_ns.pop(passage.digest, passage.received_ns)
        decided_ns = self._decided_ns.pop(passage.chunk_id, 0)
        released_ns = self._released_ns.pop(passage.release_ns, 0)
        outcome, verdict = self.outcome(passage), passage.verdict
        record: dict[str, Any] = {'outcome': outcome, 'sent_ns': sent_ns}
        if verdict is not None:
            record |= {'decision': verdict.decision.name, 'verdict_ms': _ms(decided_ns - sent_ns),
                       'num_steps': verdict.num_steps,
                       'stage_ms': [round(value, 3) for value in verdict.stage_ms]}
        if passage.release_ns:
            record |= {'release_ms': _ms(passage.release_ns - sent_ns),
                       'gate_ms': _ms(released_ns - decided_ns)}
        if outcome == 'late':
            record['is_held'] = self._was_held(passage.received_ns)
        return record

    def outcome(self, passage: Passage) -> str:
        """
        Return released, refused (by a verdict), late (no verdict in time), dropped (a newer
        command took its place) or withheld (allowed, and yet not released).
        """
        verdict = passage.verdict
        if passage.release_ns:
            return 'released'
        if verdict is None:
            return 'late' if passage.chunk_id else 'dropped'
        if Reason.DEADLINE in verdict.reasons:
            return 'late'
        if verdict.decision not in (Decision.OK, Decision.SLOW):
            return 'refused'
        is_late = passage.verdict_ns - passage.received_ns > self._timeout_ns
        return 'late' if is_late else 'withheld'

    def _was_held(self, received_ns: int) -> bool:
        """
        Say whether the gate held when the time of a command was over, or within half a second.

        The gate tells each change at once, so what it told last is what it does.
        """
        due_ns = received_ns + self._timeout_ns
        before = [item for item in self._stances if item[0] <= due_ns]
        if before and max(before)[1]:
            return True
        return any(is_held and due_ns - _TOLERANCE_NS <= at <= due_ns + _HOLD_WITHIN_NS
                   for at, is_held in self._stances)


def _ms(value_ns: int) -> float:
    return round(value_ns / 1e6, 3)
