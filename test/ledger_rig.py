# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A command and its verdict, at times that can be counted by hand, for tests of ledgers."""

from dataclasses import replace

import numpy as np

from wm_ros.datatypes import CommandInterface, Decision, Reason, Trajectory, Verdict
from wm_ros.gate.digest import digest_trajectory

NAMES = ('a', 'b', 'c')
START = np.array([0.1, 0.2, 0.3])
MS = 1_000_000
SECOND = 1000 * MS


def make_command(seed=0):
    rng = np.random.default_rng(seed)
    return Trajectory(joint_names=NAMES, times=np.arange(1, 6) * 0.1,
                      positions=START + np.cumsum(rng.uniform(-0.1, 0.1, (5, 3)), axis=0))


def make_verdict(command, **changes):
    verdict = Verdict(
        chunk_id=7, digest=digest_trajectory(command, CommandInterface.JOINT_TRAJECTORY),
        decision=Decision.OK, reasons=Reason.NONE, stamp_ns=SECOND + 20 * MS,
        observation_stamp_ns=SECOND, valid_until_ns=SECOND + 320 * MS, horizon_s=0.5, risk=0.1,
        risk_threshold=0.5)
    return replace(verdict, **changes)
