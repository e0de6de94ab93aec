# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Keep predictions until their future has arrived, score them, and say when to stop trusting.

The main rule: nothing here delays a verdict. A picture is scored by some arithmetic on a coarse
grid once a period; a prediction is decoded afterwards, when the caller has nothing else to do,
at most one a period and within a share of the thread's time. Owned by one thread; no clock is
read, times are the stamps of observations.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.drift import EXTREME, GRADUAL, SECONDS_PER_HOUR, DriftTest, Nominal
from wm_ros.calibration.drift_reference import DriftReference
from wm_ros.calibration.surprise import BLOCK, frame_error, picture_features
from wm_ros.datatypes import Decision, Observation

NOVELTY, ERROR = 'picture', 'prediction'
# A command starts later than its verdict by what gate and controller take: the frame of the
# future is the one, up to this late, at which the joints are where they were predicted.
MAX_DELAY_S = 0.3
# Predictions of an arm that stays are right whatever the model knows.
LEAST_MOTION_RAD = 0.05
# The same motion again is no independent draw: one that the model draws badly, at the picture's
# edge, would raise an alarm by being repeated. So near to each other two are the same.
SAME_MOTION_RAD = 0.1
_MOST_MOTIONS = 1000
# Share of the thread's time that decoding for scores may take.
BUDGET = 0.05


@dataclass(slots=True, eq=False)
class Pending:
    """
    A prediction whose future is not there yet.

    :param judgement: what the judge said, with what its decoder needs.
    :param before: newest frame when it was made, uint8 (h, w, 3).
    :param motion: joints at ``before`` and predicted at the compared step, float32 (2, J), rad.
    :param made_ns: stamp of ``before``.
    :param due_ns: when the compared step ends.
    :param closest: frame with the joints nearest to the predicted ones, or None so far.
    :param gap_rad: how near that was.
    """

    judgement: Any
    before: NDArray[np.uint8]
    motion: NDArray[np.float32]
    made_ns: int
    due_ns: int
    closest: NDArray[np.uint8] | None = None
    gap_rad: float = float('inf')


class DriftMonitor:
    """
    The predictor's distrust of itself.

    :param reference: nominal scores, from the checkpoint.
    :param step_s: the model's step, s.
    :param false_alarms_per_hour: the promise, see ``DriftTest``.
    :param period_s: least time between two scores of a kind, s; of pictures a score is the
        median of three, a third of the period apart.
    :param recovery_count: good scores in a row that end an alarm.
    :param adaptive_gain: of the threshold on pictures, 0 keeps it fixed.
    """

    def __init__(self, reference: DriftReference, *, step_s: float, false_alarms_per_hour: float,
                 period_s: float = 1.5, recovery_count: int = 10, adaptive_gain: float = 0.0
                 ) -> None:
        self._reference = reference
        self._period_ns, self._step_ns = _ns(period_s), _ns(step_s)
        self.false_alarms_per_hour = false_alarms_per_hour
        self.test = DriftTest(
            {NOVELTY: Nominal(reference.novelty_scores, EXTREME),
             ERROR: Nominal(reference.error_scores, GRADUAL)},
            tests_per_hour=SECONDS_PER_HOUR / period_s, recovery_count=recovery_count,
            false_alarms_per_hour=false_alarms_per_hour, adaptive_gain=adaptive_gain)
        self.num_skipped = 0
        self._pending: Pending | None = None
        self._motions: deque[NDArray[np.float32]] = deque(maxlen=_MOST_MOTIONS)
        self._block: list[float] = []
        self._newest_ns = self._next_picture_ns = self._next_error_ns = 0

    @property
    def step(self) -> int:
        """Index of the predicted step that is compared."""
        return self._reference.step

    @property
    def is_alarmed(self) -> bool:
        """Say whether verdicts are void."""
        return self.test.is_alarmed

    @property
    def message(self) -> str:
        """The alarm in words; empty without one."""
        if not self.is_alarmed:
            return ''
        p_values = self.test.p_values
        kinds = ', '.join(f'{kind} p = {p_values[kind]:.3g}' for kind in self.test.guilty)
        return (f'drift: what the camera shows no longer fits the calibration ({kinds}; at most '
                f'{self.false_alarms_per_hour:g} false alarms an hour); check camera, colours '
                'and light, or calibrate again')

    def reset(self) -> None:
        """Forget everything but the reference: an operator has looked, or time began anew."""
        self.test.reset()
        self.flush()
        self._motions.clear()
        self._block.clear()
        self._newest_ns = self._next_picture_ns = self._next_error_ns = 0

    def flush(self) -> None:
        """Drop the prediction that waits; its future will not be seen as it was meant."""
        self.num_skipped += self._pending is not None
        self._pending = None

    def see(self, observation: Observation) -> None:
        """
        Take what the camera and the joints say now.

        :param observation: the newest; one that was seen before is ignored. A stamp that goes
            back means another time line: what waits is dropped.
        """
        stamp_ns = observation.image_stamps_ns[-1]
        if stamp_ns < self._newest_ns:
            self.flush()
            self._block.clear()
            self._next_picture_ns = self._next_error_ns = stamp_ns
        if stamp_ns == self._newest_ns:
            return
        self._newest_ns = stamp_ns
        if stamp_ns >= self._next_picture_ns:
            self._next_picture_ns = stamp_ns + self._period_ns // BLOCK
            self._look(observation.images[-1])
        if self._pending is not None:
            self._compare_joints(self._pending, observation)

    def expect(self, judgement: Any, observation: Observation) -> None:
        """
        Keep a prediction, if one may be scored now and this one can be.

        A motion counts once, but during an alarm: then scores are no bets, and good ones end it.

        :param judgement: the judge's own, before any alarm changed its verdict; only what it
            called OK will run as predicted.
        :param observation: what it rests on.
        """
        stamp_ns = observation.image_stamps_ns[-1]
        if (judgement.verdict.decision != Decision.OK or self._pending is not None
                or stamp_ns < self._next_error_ns):
            return
        path = judgement.prediction.joint_positions
        now = observation.joints.positions.astype(np.float32)
        if not self.step < len(path) or np.abs(path[self.step] - now).max() < LEAST_MOTION_RAD:
            return
        motion = np.stack([now, path[self.step]])
        if not self.is_alarmed and any(
                np.abs(motion - other).max() < SAME_MOTION_RAD for other in self._motions):
            return
        self._pending = Pending(judgement, observation.images[-1], motion, stamp_ns,
                                stamp_ns + (self.step + 1) * self._step_ns)

    @property
    def has_due(self) -> bool:
        """Say whether the future of the prediction that waits has arrived."""
        return (self._pending is not None
                and self._newest_ns >= self._pending.due_ns + _ns(MAX_DELAY_S))

    def due(self) -> Pending | None:
        """
        Give the prediction whose future has arrived, until it is scored; None if there is none.

        One whose joints never came near the predicted ones is dropped: another command ran.
        """
        pending = self._pending
        if pending is None or not self.has_due:
            return None
        if pending.gap_rad > self._reference.joint_tolerance_rad:
            self.flush()
            return None
        return pending

    def score(self, pending: Pending, predicted: NDArray[np.uint8], *, cost_s: float) -> None:
        """
        Compare a predicted frame with the one that was seen.

        :param pending: from ``due``.
        :param predicted: RGB uint8 (h, w, 3) at ``step``.
        :param cost_s: how long its decoding took; the next comes no sooner than the budget
            allows.
        """
        assert pending.closest is not None
        self._pending = None
        pause_ns = max(self._period_ns, _ns(cost_s / BUDGET))
        self._next_error_ns = max(pending.made_ns + pause_ns, pending.due_ns)
        error = frame_error(predicted, pending.closest, pending.before)
        if error is None:
            self.num_skipped += 1
        else:
            self._motions.append(pending.motion)
            self.test.add(ERROR, error)

    def _look(self, image: NDArray[np.uint8]) -> None:
        self._block.append(self._reference.novelty.score(picture_features(image)))
        if len(self._block) == BLOCK:
            self.test.add(NOVELTY, float(np.median(self._block)))
            self._block.clear()

    def _compare_joints(self, pending: Pending, observation: Observation) -> None:
        stamp_ns = observation.image_stamps_ns[-1]
        if not pending.due_ns - self._step_ns // 2 <= stamp_ns <= pending.due_ns + _ns(
                MAX_DELAY_S):
            return
        gap_rad = float(np.abs(observation.joints.positions - pending.motion[1]).max())
        if gap_rad < pending.gap_rad:
            pending.closest, pending.gap_rad = observation.images[-1], gap_rad


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
