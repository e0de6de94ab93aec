# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
wm_gate with one of its promises broken on purpose, to see that a campaign notices.

    python -m broken_gate WAY wm_ros.ros.gate_node [ARGUMENTS]
"""

import importlib
import sys
from dataclasses import fields

import numpy as np
from rclpy.qos import DurabilityPolicy

from wm_ros.gate import release
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import Hold
from wm_ros.gate.inputs import Inputs
from wm_ros.gate.judging import Judging
from wm_ros.gate.machine import Gate
from wm_ros.gate.stance import Stance
from wm_ros.gate.watching import Watching
from wm_ros.ros import gate_node, qos


def any_digest():
    """Take a verdict whatever command it is about."""
    release._check_identity = lambda verdict, chunk: None


def no_verdict():
    """Forward at once."""
    Judging.judge_command = lambda self, command, now: self.forward_unjudged(
        command, now, has_limits=True)


def zeros():
    """Hold at zero positions, as some drivers mean a stop."""
    def publish_hold(self, now):
        sample = self._inputs.fresh_joints(now)
        if sample is None:
            return False
        self.emit(Hold(joint_names=sample.names, positions=np.zeros(len(sample.names))))
        return True

    Stance.publish_hold = publish_hold


def no_hold():
    """Leave a motion without a word."""
    Stance._end_motion = lambda self, now: None


def old_joints():
    """Hold at whatever was measured last."""
    Inputs.fresh_joints = lambda self, now: self._joints
    Inputs._joint_problem = lambda self, now: None


def expired():
    """Look at no time of a verdict."""
    release._check_times = lambda *arguments: None
    Gate.recall = lambda self, effects, decided, now: effects


def no_watchdog():
    """Never miss the predictor."""
    Inputs._beat_problem = Inputs._image_problem = lambda self, now: None
    Gate.lose_predictor = lambda self, text, now: []


def _take_for_new(is_first):
    take = Inputs.take_heartbeat

    def trust(self, beat, now):
        if is_first(self):
            self._progress = -1
        take(self, beat, now)

    Inputs.take_heartbeat = trust


def forgets_progress():
    """Take a heartbeat without progress for a new one once the predictor was lost."""
    _take_for_new(lambda inputs: inputs._beat is None)


def trusts_first_beat():
    """Take the first heartbeat after a configuration for progress."""
    _take_for_new(lambda inputs: inputs._progress is None)


def chatty():
    """Publish holds while waiting."""
    arm = Watching._arm

    def speak(self, now):
        self.stance.publish_hold(now)
        arm(self, now)

    Watching._arm = speak


def no_limit_to_timeouts():
    """Take 0 for every timeout."""
    for item in fields(GateConfig):
        if item.metadata['range'] == (0.001, 60.0):
            item.metadata = {**item.metadata, 'range': (0.0, 60.0)}


def latched():
    """Keep the last command for late joiners."""
    qos.COMMAND_OUT.durability = DurabilityPolicy.TRANSIENT_LOCAL


def sim_time():
    """Enforce on any clock."""
    gate_node.check_clock = lambda *arguments, **named: None


def raises():
    """Raise on a command that is not finite."""
    take = Gate.take_command

    def fragile(self, command, now):
        if any(np.isnan(point.positions).any() for point in command.points):
            raise RuntimeError('not a number')
        return take(self, command, now)

    Gate.take_command = fragile


def deaf():
    """Do not hear the emergency stop."""
    Gate.take_emergency_stop = lambda self, is_pressed, now: []


def holds_for_ever():
    """Never release anything after a hold."""
    permit = Judging._permit

    def stubborn(self, case, verdict, now):
        if not self.stance.num_holds:
            permit(self, case, verdict, now)

    Judging._permit = stubborn


def replays():
    """Release after a hold what was under judgement before it."""
    def keep(self):
        return 0

    importlib.import_module('wm_ros.gate.docket').Docket.drop_commands = keep


def main() -> int:
    """Break the gate and run it."""
    way, module, *rest = sys.argv[1:]
    globals()[way]()
    sys.argv = [module, *rest]
    return importlib.import_module(module).main()


if __name__ == '__main__':
    sys.exit(main())
