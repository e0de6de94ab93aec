# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the numbers of a policy mean: how they are encoded, what they move, what they count from.

The dataclasses are the keys of config/action_space.yaml; docs/interfaces.md explains them.
"""

from dataclasses import dataclass, field

from wm_ros.config import check_settings, setting
from wm_ros.gate.action_statistics import Statistics, Tokens

POSE_NUMBERS = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
IGNORED = 'ignore'
GRIPPER = 'gripper'


@dataclass(frozen=True, kw_only=True, slots=True)
class Gripper:
    """
    The number called ``gripper``, as a position between closed and open.

    :raises ValueError: naming the key that is wrong.
    """

    joint: str = setting('', help='joint that the number moves; empty: no such number')
    closed: float = setting(0.0, help='position of the joint when closed', unit='rad',
                            range=(-1e3, 1e3))
    open: float = setting(1.0, help='position of the joint when open', unit='rad',
                          range=(-1e3, 1e3))
    number_closed: float = setting(0.0, help='the number that means closed', range=(-1e3, 1e3))
    number_open: float = setting(1.0, help='the number that means open', range=(-1e3, 1e3))
    binary: bool = setting(False, help='take the nearer end instead of a place between')

    def __post_init__(self) -> None:
        """Check each key."""
        check_settings(self)
        if self.joint and self.number_closed == self.number_open:
            raise ValueError(
                f'number_closed and number_open are both {self.number_open}; they must differ')


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionSpace:
    """
    One encoding of targets.

    :raises ValueError: naming the key that is wrong.
    """

    name: str = setting(help='what messages call it')
    kind: str = setting(help='joints, or the pose of tip_link', choices=('joints', 'cartesian'))
    numbers: tuple[str, ...] = setting(
        help='meaning of each number: joints, or x y z roll pitch yaw; gripper; ignore')
    step: float = setting(help='time between targets', unit='s', range=(0.001, 10.0))
    reference: str = setting(
        'absolute', choices=('absolute', 'start', 'previous'),
        help='targets as they are, or as differences from the measured start or from the target '
             'before')
    unit: str = setting('rad', help='of joints', choices=('rad', 'deg'))
    frame: str = setting(
        'base', help='axes of a Cartesian difference: the root link or the tip',
        choices=('base', 'tip'))
    rotation: str = setting(
        'rpy', help='roll, pitch and yaw about fixed axes, or axis times angle',
        choices=('rpy', 'rotvec'))
    normalisation: str = setting(
        'none', help='how the numbers were scaled', choices=(
            'none', 'q01_q99', 'min_max', 'mean_std'))
    statistics: Statistics = field(default_factory=Statistics)
    tokens: Tokens = field(default_factory=Tokens)
    gripper: Gripper = field(default_factory=Gripper)

    def __post_init__(self) -> None:
        """Check each key, then what must hold between them."""
        check_settings(self)
        used = [number for number in self.numbers if number != IGNORED]
        if len(set(used)) != len(used) or '' in used:
            raise ValueError(f'numbers is {list(self.numbers)}; each may stand there once')
        if self.gripper.joint and GRIPPER not in used:
            raise ValueError(f'gripper.joint is {self.gripper.joint!r}, but numbers has no '
                             f'{GRIPPER!r}')
        if self.kind == 'cartesian':
            self._check_cartesian(used)
        self.statistics.check(self.normalisation, len(self.numbers))

    def moved(self) -> dict[int, str]:
        """Give, for each number that moves a joint, the joint's name."""
        found = {}
        for index, number in enumerate(self.numbers):
            if number == GRIPPER and self.gripper.joint:
                found[index] = self.gripper.joint
            elif self.kind == 'joints' and number != IGNORED:
                found[index] = number
        return found

    def _check_cartesian(self, used: list[str]) -> None:
        strange = [n for n in used if n not in POSE_NUMBERS and n != GRIPPER]
        if strange:
            raise ValueError(f'numbers has {strange}; kind cartesian has {list(POSE_NUMBERS)}, '
                             f'{GRIPPER} and {IGNORED}')
        if GRIPPER in used and not self.gripper.joint:
            raise ValueError('numbers has a gripper; set gripper.joint')
        if self.reference == 'absolute' and not set(POSE_NUMBERS) <= set(used):
            raise ValueError(f'an absolute pose needs all of {list(POSE_NUMBERS)}')


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionSpaces:
    """
    All encodings that the gate takes.

    :raises ValueError: naming the key that is wrong.
    """

    default: str = setting(help='name of the space of a message that names none')
    spaces: tuple[ActionSpace, ...] = field()

    def __post_init__(self) -> None:
        """Check the names."""
        check_settings(self)
        names = [space.name for space in self.spaces]
        if len(set(names)) != len(names):
            raise ValueError(f'spaces has the names {names}; each may be there once')
        if self.default not in names:
            raise ValueError(f'default is {self.default!r}; spaces has {names}')

    @classmethod
    def of_joints(cls, joint_names: tuple[str, ...], step_s: float) -> 'ActionSpaces':
        """Make the space that needs no file: positions of all joints, rad, in their order."""
        space = ActionSpace(name='joints', kind='joints', numbers=joint_names, step=step_s)
        return cls(default='joints', spaces=(space,))

    def find(self, name: str) -> ActionSpace | None:
        """Give the space of a name; the default one for an empty name."""
        wanted = name or self.default
        return next((space for space in self.spaces if space.name == wanted), None)

    def check(self, joint_names: tuple[str, ...], *, has_tip: bool) -> None:
        """
        Check that the robot can do what the spaces say.

        :raises ValueError: naming the space and what is missing.
        """
        for space in self.spaces:
            moved = list(space.moved().values())
            strange = [joint for joint in moved if joint not in joint_names]
            if strange or len(set(moved)) != len(moved):
                raise ValueError(f'action space {space.name} moves {moved}; expected each once, '
                                 f'out of {list(joint_names)}')
            if space.kind == 'cartesian' and not has_tip:
                raise ValueError(f'action space {space.name} is cartesian; set tip_link')
