# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The independent listener of the fault catalogue: a ledger, and everything with its time."""

from collections import deque
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Reason
from wm_ros.msg import GateState, PredictorStatus, Verdict
from wm_ros.ros.observer import Observer

_MOST = 20_000
STOPPED = (GateState.HOLD, GateState.ESTOP)


class FaultObserver(Observer):
    """
    Keep what came in, with the middleware's time of receipt, ns of the system clock.

    **Subscribes** beside the observer's: **/diagnostics**, **/rosout**,
    **wm_predictor/heartbeat**.
    """

    def __init__(self, **arguments: Any) -> None:
        self.states: deque[tuple[int, GateState]] = deque(maxlen=_MOST)
        self.outputs: deque[tuple[int, JointTrajectory]] = deque(maxlen=_MOST)
        self.verdicts: deque[tuple[int, Verdict]] = deque(maxlen=_MOST)
        self.reports: deque[tuple[int, DiagnosticStatus]] = deque(maxlen=_MOST)
        self.logs: deque[tuple[int, Log]] = deque(maxlen=_MOST)
        self.beats: deque[tuple[int, PredictorStatus]] = deque(maxlen=_MOST)
        super().__init__(wants_frames=False, **arguments)
        many = QoSProfile(depth=100)
        self._listen(DiagnosticArray, '/diagnostics', self._on_diagnostics, many)
        self._listen(Log, '/rosout', lambda m, at_ns: self.logs.append((at_ns, m)), many)
        # No lease is asked for: this listener is not the one that must notice.
        self._listen(PredictorStatus, 'wm_predictor/heartbeat', self._on_beat, many)

    def last_output_ns(self) -> int:
        """Return when the controller's topic was last written, 0 if never."""
        return self.outputs[-1][0] if self.outputs else 0

    def first_stop(self, since_ns: int) -> tuple[int, GateState] | None:
        """Return the first HOLD or ESTOP that came after a time, ns."""
        return next(((at, state) for at, state in list(self.states)
                     if at >= since_ns and state.state in STOPPED), None)

    def reasons_since(self, since_ns: int) -> int:
        """Return all reasons of states and verdicts that came after a time."""
        mask = Reason.NONE
        for at, message in (*list(self.states), *list(self.verdicts)):
            if at >= since_ns:
                mask |= Reason(message.reasons)
        return int(mask)

    def messages_since(self, since_ns: int) -> str:
        """Return the different messages of states and verdicts after a time, joined."""
        texts = [message.message for at, message in (*list(self.states), *list(self.verdicts))
                 if at >= since_ns and message.message]
        return ' | '.join(dict.fromkeys(texts))

    def logs_since(self, since_ns: int, text: str) -> list[str]:
        """Return the log lines after a time that contain a text, in any case."""
        return [log.msg for at, log in list(self.logs)
                if at >= since_ns and text.lower() in log.msg.lower()]

    def reports_since(self, since_ns: int, name: str) -> list[DiagnosticStatus]:
        """Return the diagnostics after a time whose name contains a text."""
        return [status for at, status in list(self.reports)
                if at >= since_ns and name in status.name]

    def _on_diagnostics(self, message: DiagnosticArray, at_ns: int) -> None:
        self.reports.extend((at_ns, status) for status in message.status)

    def _on_beat(self, message: PredictorStatus, at_ns: int) -> None:
        self.beats.append((at_ns, message))

    def _on_output(self, message: JointTrajectory, at_ns: int) -> None:
        self.outputs.append((at_ns, message))
        super()._on_output(message, at_ns)

    def _on_verdict(self, message: Verdict, at_ns: int) -> None:
        self.verdicts.append((at_ns, message))
        super()._on_verdict(message, at_ns)

    def _on_state(self, message: GateState, at_ns: int) -> None:
        self.states.append((at_ns, message))
        super()._on_state(message, at_ns)
