# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS side of a campaign: a context, and a runner that is closed whatever happens."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from wm_ros.ros.campaign_runner import LIVENESS_S, CampaignRunner
from wm_ros.ros.faults_graph import Starter
from wm_ros.ros.faults_session import with_changes


@contextlib.contextmanager
def campaign_session(starter: Starter, commands: dict[str, list[str]], scratch: Path, *,
                     gate_through: Sequence[str] = (), liveness_s: float = LIVENESS_S,
                     ) -> Iterator[CampaignRunner]:
    """
    Open a runner in a ROS context of its own, in the domain of the environment.

    :param starter: starts processes in the same domain.
    :param commands: command lines of 'wm_gate' and 'wm_predictor' as deployed.
    :param scratch: directory for what the graph needs.
    :param gate_through: a module, with its arguments, that becomes the gate.
    :param liveness_s: see CampaignRunner.
    """
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    runner = CampaignRunner(starter, with_changes(commands), context=context, scratch=scratch,
                            gate_through=gate_through, liveness_s=liveness_s)
    try:
        yield runner
    finally:
        runner.close()
        context.try_shutdown()
