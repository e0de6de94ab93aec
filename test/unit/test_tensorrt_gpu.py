# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT on a real GPU. Skips where there is none, and has not run anywhere yet."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from wm_ros.errors import EngineError  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint  # noqa: E402
from wm_ros.inference.engine import make_engine  # noqa: E402
from wm_ros.inference.engine_settings import EngineSettings  # noqa: E402
from wm_ros.inference.parity import TOLERANCES, golden_inputs, measure_parity  # noqa: E402
from wm_ros.inference.precision import PRECISIONS  # noqa: E402

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs an NVIDIA GPU: torch sees no CUDA device')]


@pytest.fixture(scope='module')
def checkpoint():
    pytest.importorskip('tensorrt', reason="needs pip install 'wm_ros[tensorrt]'")
    return load_checkpoint(resolve_checkpoint('default'))


@pytest.fixture(scope='module', params=PRECISIONS)
def settings(request, checkpoint, tmp_path_factory):
    from wm_ros.inference.building import build_engine
    made = EngineSettings(precision=request.param, cache_dir=tmp_path_factory.mktemp('engines'))
    build_engine(checkpoint, made)
    return made


@pytest.mark.parametrize('cuda_graphs', [False, True])
def test_it_is_within_the_tolerance_of_its_precision(checkpoint, settings, cuda_graphs):
    engine = make_engine('tensorrt', checkpoint, device='cuda', settings=dataclasses.replace(
        settings, cuda_graphs=cuda_graphs))
    torch_engine = make_engine('torch', checkpoint, device='cuda')
    inputs = golden_inputs(checkpoint)
    limit = TOLERANCES[settings.precision]
    # The second time runs are replayed, where they are captured.
    for _ in range(2):
        assert measure_parity(torch_engine, engine, inputs).problems(limit) == []
    short = [dataclasses.replace(item, actions=item.actions[:3]) for item in inputs]
    for long, cut in zip(engine.check_batch(inputs), engine.check_batch(short), strict=True):
        np.testing.assert_allclose(long.risk[:3], cut.risk, atol=limit.risk)
    output = engine.check(inputs[0])
    futures = [made.sample(made.check(inputs[0]), num_futures=2, seed=3).astype(float)
               for made in (torch_engine, engine)]
    assert np.abs(futures[0] - futures[1]).mean() <= 2 * limit.frame_levels
    assert engine.decode(output).shape == futures[0].shape[1:]
    engine.close()


def test_memory_of_the_device_is_given_back(checkpoint, settings):
    def used():
        engine = make_engine('tensorrt', checkpoint, device='cuda', settings=settings)
        engine.warm_up()
        engine.close()
        free, total = torch.cuda.mem_get_info()
        return total - free

    used()
    before = used()
    assert max(used() for _ in range(3)) <= before + 32 * 2**20


def test_an_altered_plan_is_refused(checkpoint, settings):
    (plan,) = settings.cache_dir.glob('*/predict.plan')
    content = plan.read_bytes()
    plan.write_bytes(content[:-1])
    try:
        with pytest.raises(EngineError, match=r'predict.plan was altered'):
            make_engine('tensorrt', checkpoint, device='cuda', settings=settings)
    finally:
        plan.write_bytes(content)
