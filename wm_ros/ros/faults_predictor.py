# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
wm_predictor with a rule in the place of its model, which can be told to misbehave.

Everything else is the real node: intake, history, mailbox, inference thread, heartbeat, verdicts.
It cannot be mistaken for the real one: the model is called 'stand-in' in every verdict.
"""

import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import String

from wm_ros.datatypes import ActionChunk, Decision, Observation, Prediction, Reason, Verdict
from wm_ros.errors import EngineError
from wm_ros.inference.actions import model_actions
from wm_ros.inference.judge import Judgement
from wm_ros.inference.self_test import Sensitivity
from wm_ros.ros.faults_robot import JOINTS
from wm_ros.ros.lifecycle import run
from wm_ros.ros.predictor_node import PredictorNode

TOPIC = 'wm_predictor/stand_in'
_STEPS, _STEP_S, _TTL_NS = 10, 0.1, 300_000_000
_THRESHOLD, _HAZARD_PER_RAD = 0.5, 0.5
_HANG_TURN_S = 0.01


class StandInJudge:
    """
    Judge by what was told: 'ok', 'veto', 'nan', 'deaf', 'hang', 'raise TEXT' or 'wall RAD'.

    A wall makes a hazard of each step that ends with the second joint beyond it, the more so the
    further, as a model does that sees something stand there.

    :param behaviour: read at each call; another thread may replace its ``text``.
    """

    model_id = 'stand-in'
    is_calibrated = True

    def __init__(self, behaviour: Any) -> None:
        self._behaviour = behaviour
        self._is_open = True
        # What of a ModelConfig is read without weights.
        self.config: Any = SimpleNamespace(
            joint_names=JOINTS, context_len=2, horizon=_STEPS, step_s=_STEP_S, image_height=12,
            image_width=16, camera_name='front', cameras=('front',))
        self.engine = SimpleNamespace(name='stand-in', device='cpu')

    def warm_up(self) -> None:
        """Need nothing."""

    def close(self) -> None:
        """Let a call that hangs go."""
        self._is_open = False

    def sensitivity(self) -> Sensitivity:
        """Follow the actions, unless told to be deaf."""
        value = 0.0 if self._behaviour.text == 'deaf' else 1.0
        return Sensitivity(value, value, value)

    def check_golden(self, _convert: Any) -> tuple[str, ...]:
        """Find nothing wrong: there are no weights."""
        return ()

    def check_steps(self, _num_steps: int) -> None:
        """Have thresholds for any number of steps."""

    def time_checks(self, _num_steps: int, count: int) -> list[float]:
        """Take no time, ms."""
        return [0.1] * count

    def drift_reference(self) -> None:
        """Have none."""

    def judge(self, chunk: ActionChunk, observation: Observation, *, stamp_ns: int,
              num_steps: int | None = None) -> Judgement:
        """Judge as told; raises EngineError when told to."""
        while self._behaviour.text == 'hang' and self._is_open:
            time.sleep(_HANG_TURN_S)
        text, steps = self._behaviour.text, num_steps or _STEPS
        if text.startswith('raise '):
            raise EngineError(text.removeprefix('raise '))
        risks = np.full(steps, np.nan if text == 'nan' else 0.9 if text == 'veto' else 0.1)
        if text.startswith('wall '):
            risks = self._foresee(chunk, float(text.removeprefix('wall ')))[:steps]
        risk = float(risks.max())
        is_veto = risk >= _THRESHOLD
        verdict = Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest,
            decision=Decision.VETO if is_veto else Decision.OK,
            reasons=Reason.RISK if is_veto else Reason.NONE, stamp_ns=stamp_ns,
            observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns + _TTL_NS, horizon_s=_STEP_S * steps, risk=risk,
            risk_threshold=_THRESHOLD, uncertainty=0.0, first_unsafe_step=0 if is_veto else -1,
            model_id=self.model_id, stage_ms=(0.0, 0.0), message='as told', num_steps=steps)
        prediction = Prediction(
            offsets_s=np.arange(1, steps + 1) * np.float64(_STEP_S), joint_names=JOINTS,
            joint_positions=np.zeros((steps, len(JOINTS)), np.float32),
            risk=risks.astype(np.float32), uncertainty=np.zeros(steps, np.float32),
            model_id=self.model_id)
        return Judgement(verdict, prediction, None)

    def judge_candidates(self, chunks: Sequence[ActionChunk], observation: Observation, *,
                         stamp_ns: int, num_steps: int | None = None) -> list[Judgement]:
        """Judge each as told."""
        return [self.judge(chunk, observation, stamp_ns=stamp_ns, num_steps=num_steps)
                for chunk in chunks]

    def _foresee(self, chunk: ActionChunk, wall_rad: float) -> NDArray[np.float64]:
        """Give the chance that a hazard has happened by each step, (H,)."""
        places = model_actions(chunk.trajectory, chunk.start, self.config, lead_s=0.0)[:, 1]
        return 1.0 - np.cumprod(1.0 - np.clip(places - wall_rad, 0.0, 1.0) * _HAZARD_PER_RAD)


class StandInPredictor(PredictorNode):
    """
    The predictor with that judge.

    **Subscribes** beside the predictor's: ``wm_predictor/stand_in`` (std_msgs/String): how to
    behave from now on.
    """

    def __init__(self, **arguments: Any) -> None:
        behaviour = SimpleNamespace(text='ok')
        super().__init__(make_judge=lambda _config: StandInJudge(behaviour), **arguments)
        self.create_subscription(
            String, TOPIC, lambda message: setattr(behaviour, 'text', message.data), 1)


def main(args: list[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(StandInPredictor, args)


if __name__ == '__main__':
    sys.exit(main())
