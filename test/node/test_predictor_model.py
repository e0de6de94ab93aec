# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor with the model that ships, on each engine, over real DDS."""

import numpy as np
import pytest
from harness import Harness
from predictor_bench import Bench

from wm_ros.msg import Prediction, Verdict
from wm_ros.ros import qos
from wm_ros.ros.predictor_node import load_judge
from wm_ros.simulation.scene import JOINT_NAMES


@pytest.fixture(params=['onnxruntime', 'torch'])
def bench(request):
    pytest.importorskip(request.param)
    with Harness() as harness:
        yield Bench(harness, load_judge, joints=JOINT_NAMES, checkpoint_path='default',
                    engine=request.param, allow_uncalibrated=True).start()


def test_the_shipped_model_judges_and_draws(bench):
    predictions = bench.harness.mailbox('wm_predictor/prediction', Prediction, qos.PREDICTION)
    bench.harness.wait_matched()
    stamp = bench.feed(size=(480, 640))
    message = bench.chunk()
    verdict = bench.ask(message)
    assert verdict.decision in (Verdict.OK, Verdict.VETO, Verdict.ABSTAIN), verdict.message
    assert bytes(verdict.digest) == bytes(message.digest)
    assert 0.0 <= verdict.risk <= 1.0
    assert verdict.observation_stamp == stamp
    prediction = predictions.expect()
    assert len(prediction.frames) == len(prediction.risk) == len(prediction.offsets)
    assert np.all(np.diff(prediction.risk) >= 0)
    assert prediction.joint_names == list(JOINT_NAMES)
    assert bench.beats.expect(lambda beat: beat.latency_p50_ms > 0).model_id == verdict.model_id
