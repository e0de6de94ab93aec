# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The latched emergency stop: many causes may set it, none of them may live when it is cleared."""

from enum import Enum

import numpy as np

from wm_ros.gate.config import GateConfig
from wm_ros.gate.inputs import Inputs
from wm_ros.gate.values import Now


class Cause(Enum):
    """What latched the emergency stop."""

    REQUEST = 'requested by service'
    TOPIC = 'emergency_stop topic'
    VETOES = 'too many vetoes in a row'
    NO_JOINTS = 'no measured joints to hold at'
    NOT_OBEYED = 'hold not obeyed'
    FAULT = 'exception in the gate'


class EstopLatch:
    """The causes since the last clear, and whether the topic still asks for a stop."""

    def __init__(self) -> None:
        self.causes: set[Cause] = set()
        self.is_topic_active = False

    def living_causes(self, inputs: Inputs, now: Now, config: GateConfig) -> list[str]:
        """
        List in words what still lives; an empty list allows a clear.

        A request, vetoes and a fault in the gate are over once they happened. Missing joints and
        a disobeyed hold live until the joints are measured, and at rest.
        """
        living = []
        if self.is_topic_active:
            living.append('the emergency_stop topic is still true')
        sample = inputs.fresh_joints(now)
        needs_joints = self.causes & {Cause.NO_JOINTS, Cause.NOT_OBEYED}
        if needs_joints and sample is None:
            living.append('joint_states are still missing or stale')
        elif Cause.NOT_OBEYED in self.causes and sample is not None:
            fastest = int(np.argmax(np.abs(sample.velocities)))
            speed = abs(float(sample.velocities[fastest]))
            if speed > config.rest_velocity:
                living.append(
                    f'{sample.names[fastest]} still moves at {speed:.3g} rad/s; rest_velocity '
                    f'is {config.rest_velocity}')
        return living

    def clear(self) -> None:
        """Forget the causes."""
        self.causes.clear()
