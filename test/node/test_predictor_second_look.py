# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor looks again: slower, and away from a risk, over real DDS."""

import numpy as np
import pytest
from fake_judge import JOINTS, FakeJudge
from harness import Harness
from predictor_bench import Bench

from wm_ros.datatypes import Reason
from wm_ros.gate.speeds import as_sent
from wm_ros.msg import Verdict


def places(chunk) -> np.ndarray:
    """Give where the first joint is at the end of each step, rad."""
    times = np.append(0.0, chunk.trajectory.times)
    return np.interp(0.1 * np.arange(1, 6), times, np.append(
        chunk.start.positions[0], chunk.trajectory.positions[:, 0]))


@pytest.fixture
def judge():
    # The bench's command goes from 0.1 to 0.5 rad in half a second.
    return FakeJudge(foresee=lambda chunk: np.maximum.accumulate(places(chunk)))


@pytest.fixture
def make(judge):
    with Harness() as harness:
        yield lambda **parameters: Bench(
            harness, lambda config: judge, joints=JOINTS, **parameters).start()


def test_a_refused_command_is_judged_slower_and_said_with_its_own_digest(make):
    bench = make(slow_factors=[0.8, 0.4])
    bench.feed()
    chunk = bench.chunk()
    verdict = bench.ask(chunk)
    assert verdict.decision == Verdict.SLOW
    assert verdict.speed_factor == as_sent(0.4)
    assert bytes(verdict.digest) == bytes(chunk.digest)
    # By hand: 0.2 rad are reached after 0.5 s, and the limit is half of 0.5.
    assert verdict.risk == pytest.approx(0.2)
    assert verdict.risk_threshold == 0.25
    assert 'at its own: as told' in verdict.message


def test_as_deployed_it_stays_refused(make, judge):
    bench = make()
    bench.feed()
    assert bench.ask().decision == Verdict.VETO
    assert len(judge.chunks) == 1


def test_without_time_for_it_it_stays_refused(make, judge):
    judge.check_ms = 400.0
    bench = make(slow_factors=[0.4], latency_budget_ms=5000.0)
    bench.feed()
    # The fake takes no time; what a look is known to take must not be learned from it.
    bench.node._worker.plans.note = lambda plan, took_ms: None
    assert bench.ask(bench.chunk(decide_by_s=1.0)).decision == Verdict.VETO
    assert bench.ask(bench.chunk(decide_by_s=30.0)).decision == Verdict.SLOW


def test_a_held_command_that_leads_away_is_allowed_as_the_gate_asked(make, judge):
    # Behind 0.1 rad it is dangerous to stay and less so the further the joint goes.
    judge.foresee = lambda chunk: 1.0 - np.cumprod(np.clip(0.3 + 2.0 * places(chunk), 0.0, 1.0))
    bench = make()
    bench.feed()
    chunk = bench.chunk()
    assert bench.ask(chunk).decision == Verdict.VETO
    chunk = bench.chunk()
    chunk.escape_factor = 0.75
    verdict = bench.ask(chunk)
    assert verdict.decision == Verdict.SLOW
    assert verdict.reasons == int(Reason.RISK | Reason.ESCAPE)
    assert verdict.speed_factor == 0.75
    assert bytes(verdict.digest) == bytes(chunk.digest)
    assert 'leads away' in verdict.message


@pytest.mark.parametrize('factor', [1.5, -0.1, float('nan')])
@pytest.mark.parametrize('name', ['slow_factor', 'escape_factor'])
def test_a_factor_that_is_none_is_refused(make, name, factor):
    bench = make()
    bench.feed()
    chunk = bench.chunk()
    setattr(chunk, name, factor)
    verdict = bench.ask(chunk)
    assert verdict.decision == Verdict.INVALID
    assert name in verdict.message


def test_an_allowed_command_is_looked_at_as_a_slow_gate_will_release_it(make, judge):
    judge.foresee = lambda chunk: 0.5 * np.maximum.accumulate(places(chunk))
    bench = make()
    bench.feed()
    chunk = bench.chunk()
    chunk.slow_factor = 0.5
    verdict = bench.ask(chunk)
    assert (verdict.decision, verdict.speed_factor) == (Verdict.OK, 0.5)
    assert verdict.risk == pytest.approx(0.5 * 0.25)
