# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Settings of the gate: one frozen object, checked as a whole, swapped as a whole.

No timeout can be switched off: the lowest allowed value of each is 1 ms.
"""

from dataclasses import dataclass

from wm_ros.config import check_settings, setting
from wm_ros.gate.config_rules import (
    check_description_use,
    check_goals,
    check_joint_lists,
    check_scaling,
    check_workspace_box,
)

TRAJECTORY_TYPE = 'trajectory_msgs/msg/JointTrajectory'
ARRAY_TYPE = 'std_msgs/msg/Float64MultiArray'

# Without limits of its own a joint still has these, so that 1e308 is never a target.
SANE_POSITION = 1e3
SANE_VELOCITY = 1e2

_TIMEOUT = (0.001, 60.0)
_COUNT = (1, 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateConfig:
    """
    Settings of wm_gate; each field says its meaning, unit and range in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    joint_names: tuple[str, ...] = setting(
        help='list the joints of the controller, in its order')
    mode: str = setting(
        'enforce', choices=('shadow', 'enforce'),
        help='shadow forwards everything and reports what enforce would have held')
    command_out_topic: str = setting(
        '/arm_controller/joint_trajectory', required=True,
        help='topic of the controller that the gate alone may write')
    command_out_type: str = setting(
        TRAJECTORY_TYPE, choices=(TRAJECTORY_TYPE, ARRAY_TYPE),
        help='message type of command_out_topic')
    command_interface: str = setting(
        'position', choices=('position', 'velocity'),
        help='meaning of the numbers on ~/commands')
    speed_scaling_topic: str = setting(
        '', help='topic of a controller that scales commands itself, for SLOW '
                 '(control_msgs/SpeedScalingFactor); empty: the gate stretches them')
    engage_on_start: bool = setting(True, help='start engaged; otherwise wait for ~/engage')
    allow_bypass: bool = setting(
        False, tunable=True, help='let the dead-man on ~/bypass forward without verdicts')
    allow_sim_time: bool = setting(
        False, help='let enforce run on simulated time, whose clock can stop')
    abstain_policy: str = setting(
        'hold', choices=('hold', 'drop'), tunable=True,
        help='on ABSTAIN: hold, or drop that command and keep running')

    joint_state_timeout: float = setting(
        0.2, unit='s', range=_TIMEOUT, tunable=True,
        help='oldest measured joints a hold may use; the gate holds at three quarters of it')
    image_timeout: float = setting(
        0.5, unit='s', range=_TIMEOUT, tunable=True, help='oldest camera frame a verdict may use')
    heartbeat_timeout: float = setting(
        0.2, unit='s', range=_TIMEOUT, tunable=True,
        help='predictor counts as lost after this silence')
    decision_timeout: float = setting(
        0.15, unit='s', range=_TIMEOUT, tunable=True,
        help='a verdict later than this after the command is a veto')
    check_timeout: float = setting(
        1.0, unit='s', range=_TIMEOUT, tunable=True, help='longest wait of ~/check_trajectory')
    bypass_timeout: float = setting(
        0.1, unit='s', range=_TIMEOUT, tunable=True, help='dead-man counts as released after this')
    max_future_skew: float = setting(
        0.05, unit='s', range=(0.0, 1.0), tunable=True,
        help='how far in the future a stamp may lie')
    max_command_age: float = setting(
        0.5, unit='s', range=_TIMEOUT, tunable=True, help='oldest stamp of a command')

    trigger_count: int = setting(
        1, range=_COUNT, tunable=True, help='vetoes in a row before the gate holds')
    release_count: int = setting(
        1, range=_COUNT, tunable=True, help='OK verdicts for new commands before a hold ends')
    max_consecutive_vetoes: int = setting(
        20, range=_COUNT, tunable=True, help='vetoes in a row before the e-stop latches')
    escape_max_velocity: float = setting(
        0.25, unit='rad/s', range=(0.0, SANE_VELOCITY), tunable=True,
        help='while the gate holds for a risk, a command that leads away from it is let through '
             'at no more than this speed of any joint; 0: none is')
    arm_cycles: int = setting(
        10, range=_COUNT, tunable=True, help='control ticks with fresh inputs before release')
    control_rate: float = setting(
        100.0, unit='Hz', range=(10.0, 1000.0), help='rate of the watchdog tick')
    probe_period: float = setting(
        0.5, unit='s', range=(0.05, 60.0), tunable=True,
        help='period of test chunks while waiting for the first verdict')

    position_lower: tuple[float, ...] = setting(
        (), unit='rad', range=(-SANE_POSITION, SANE_POSITION),
        help='lowest position of each joint; empty: no limit of its own')
    position_upper: tuple[float, ...] = setting(
        (), unit='rad', range=(-SANE_POSITION, SANE_POSITION),
        help='highest position of each joint; empty: no limit of its own')
    velocity_limit: tuple[float, ...] = setting(
        (), unit='rad/s', range=(1e-6, SANE_VELOCITY),
        help='highest speed of each joint; empty: no limit of its own')
    acceleration_limit: tuple[float, ...] = setting(
        (), unit='rad/s^2', range=(1e-6, 1e6),
        help='highest acceleration of each joint; empty: no limit of its own')
    max_step: float = setting(
        0.2, unit='rad', range=(1e-6, SANE_POSITION), tunable=True,
        help='how far the start of a command may lie from the measured position')
    max_points: int = setting(
        1000, range=(1, 100_000), help='longest trajectory that is accepted')
    max_duration: float = setting(
        120.0, unit='s', range=(0.001, 86_400.0), help='longest trajectory that is accepted')
    setpoint_horizon: float = setting(
        0.8, unit='s', range=(0.01, 60.0), help='length of the chunk made from one set-point')
    setpoint_step: float = setting(
        0.1, unit='s', range=(0.001, 10.0), help='time between the points of that chunk')
    hold_duration: float = setting(
        0.1, unit='s', range=(0.001, 10.0), tunable=True,
        help='time_from_start of the one point of a hold trajectory')
    hold_settle: float = setting(
        1.0, unit='s', range=_TIMEOUT, tunable=True, help='time to obey a hold')
    hold_tolerance: float = setting(
        0.2, unit='rad', range=(1e-6, SANE_POSITION), tunable=True,
        help='a joint further than this from its hold does not obey')
    rest_velocity: float = setting(
        0.05, unit='rad/s', range=(1e-6, SANE_VELOCITY), tunable=True,
        help='a joint slower than this is at rest')
    robot_description_file: str = setting(
        '', help='URDF of the robot: tighter joint limits count; empty: no file')
    robot_description_topic: str = setting(
        '', help='latched topic with the URDF, as robot_state_publisher has it; empty: none')
    tip_link: str = setting(
        '', help='link of the URDF that Cartesian commands move; empty: none are taken')
    cartesian_axes: tuple[str, ...] = setting(
        ('tx', 'ty', 'tz', 'rx', 'ry', 'rz'), choices=('tx', 'ty', 'tz', 'rx', 'ry', 'rz'),
        required=True,
        help='axes that Cartesian commands are followed on; the others drift, for arms with '
             'fewer than six joints')
    command_in_type: str = setting(
        'speed_units', choices=('speed_units', 'unitless'),
        help='numbers on ~/delta_joint_cmds and ~/delta_twist_cmds: SI units, or -1 to 1')
    scale_linear: float = setting(
        0.2, unit='m/s', range=(1e-6, SANE_VELOCITY), help='linear speed of a unitless 1')
    scale_rotational: float = setting(
        0.8, unit='rad/s', range=(1e-6, SANE_VELOCITY), help='rotational speed of a unitless 1')
    scale_joint: float = setting(
        0.5, unit='rad/s', range=(1e-6, SANE_VELOCITY), help='joint speed of a unitless 1')
    enable_joint_jog: bool = setting(
        False, help='take control_msgs/JointJog on ~/delta_joint_cmds')
    follow_joint_trajectory_action: str = setting(
        '', help="the controller's action that goals on ~/follow_joint_trajectory go to; "
                 'empty: no goals are taken')
    goal_recheck_period: float = setting(
        0.25, unit='s', range=(0.02, 10.0), tunable=True,
        help='time between two looks at the way ahead of a goal that runs')
    goal_window: float = setting(
        2.0, unit='s', range=(0.1, 60.0), tunable=True,
        help='how much of a goal is put before the predictor at once')
    goal_result_timeout: float = setting(
        5.0, unit='s', range=_TIMEOUT, tunable=True,
        help='a controller that has not ended a goal this long after its time is lost')
    action_space_file: str = setting(
        '', help='YAML file that says what the numbers of a policy mean; empty: joint positions')
    workspace_links: tuple[str, ...] = setting(
        (), help='links of the URDF that stay in the workspace box; empty: tip_link')
    workspace_lower: tuple[float, ...] = setting(
        (), unit='m', range=(-SANE_POSITION, SANE_POSITION),
        help='lowest x, y, z of the workspace box in the root frame of the URDF; empty: no box')
    workspace_upper: tuple[float, ...] = setting(
        (), unit='m', range=(-SANE_POSITION, SANE_POSITION),
        help='highest x, y, z of the workspace box; empty: no box')
    marker_frame_id: str = setting('base_link', help='frame of ~/markers')

    def __post_init__(self) -> None:
        """Check each setting, then what must hold between them."""
        check_settings(self)
        if len(set(self.joint_names)) != len(self.joint_names) or '' in self.joint_names:
            raise ValueError(f'joint_names is {self.joint_names!r}; names must be unique words')
        check_joint_lists(self)
        check_workspace_box(self)
        check_description_use(self)
        check_goals(self)
        check_scaling(self)
        if not self.setpoint_horizon >= 2 * self.setpoint_step:
            raise ValueError(
                f'setpoint_horizon is {self.setpoint_horizon}; it must be at least twice '
                f'setpoint_step, {self.setpoint_step} s')

    @property
    def is_enforcing(self) -> bool:
        """Tell whether commands wait for a verdict."""
        return self.mode == 'enforce'

    @property
    def has_description(self) -> bool:
        """Tell whether the robot's URDF is asked for."""
        return bool(self.robot_description_file or self.robot_description_topic)

    @property
    def boxed_links(self) -> tuple[str, ...]:
        """Return the links that stay in the workspace box; empty without a box."""
        if not self.workspace_lower:
            return ()
        return self.workspace_links or (self.tip_link,)

    @property
    def needs_kinematics(self) -> bool:
        """Tell whether joints alone do not do."""
        return bool(self.tip_link or self.workspace_lower)

    @property
    def num_setpoint_steps(self) -> int:
        """Return the number of points of a chunk made from one set-point."""
        return round(self.setpoint_horizon / self.setpoint_step)

    @property
    def is_array_out(self) -> bool:
        """Tell whether the controller takes Float64MultiArray."""
        return self.command_out_type == ARRAY_TYPE

    @property
    def is_velocity_out(self) -> bool:
        """Tell whether the controller takes velocities, so that a hold is zeros."""
        return self.is_array_out and self.command_interface == 'velocity'


def check_clock(config: GateConfig, *, uses_sim_time: bool) -> None:
    """
    Refuse to enforce on a clock that can stop.

    :raises ValueError: naming both ways out.
    """
    if uses_sim_time and config.is_enforcing and not config.allow_sim_time:
        raise ValueError(
            'use_sim_time is true with mode enforce: a paused /clock would stop the ages of '
            'stamps; set allow_sim_time to true, or mode to shadow')
