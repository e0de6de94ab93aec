# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS side of a run of faults: a context, and the changes to the deployed parameters."""

from collections.abc import Generator, Iterable

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from wm_ros.faults.fault import Fault, Outcome
from wm_ros.ros.faults_graph import Starter
from wm_ros.ros.faults_runner import FaultRunner

# As deployed but for what a robot of this kind differs in: its camera has noise, and the names of
# its topics must follow a namespace.
CHANGES = {'wm_gate': {'command_out_topic': 'arm_controller/joint_trajectory'},
           'wm_predictor': {'frozen_motion': '0.0'}}


def run_session(starter: Starter, commands: dict[str, list[str]], faults: Iterable[Fault], *,
                repeat: int = 1) -> Generator[tuple[Fault, Outcome], None, None]:
    """
    Run faults in a ROS context of their own, in the domain of the environment.

    :param starter: starts processes in the same domain.
    :param commands: command lines of 'wm_gate' and 'wm_predictor' as deployed.
    :param repeat: how often each is run.
    """
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    runner = FaultRunner(starter, with_changes(commands), context=context)
    try:
        yield from runner.run(faults, repeat=repeat)
    finally:
        runner.close()
        context.try_shutdown()


def with_changes(commands: dict[str, list[str]]) -> dict[str, list[str]]:
    """Add the parameters of CHANGES to command lines."""
    return {name: [*arguments, *(word for key, value in CHANGES[name].items()
                                 for word in ('-p', f'{key}:={value}'))]
            for name, arguments in commands.items()}
