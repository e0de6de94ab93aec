# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A robot in MuJoCo, described by a YAML file alone: config/robots/aloha.yaml is an example.

Names are looked up in the MJCF model when it is compiled, in ``robot_model``; here only what the
file itself must get right. A joint of the robot may move several joints of the MJCF model, as a
gripper moves two fingers: each of those is ``offset + scale * joint``.
"""

from dataclasses import dataclass
from pathlib import Path

from wm_ros.config import check_settings, setting
from wm_ros.simulation.robot_yaml import read_tree

# Hazards are stored as the bits of one byte.
MAX_HAZARD_KINDS = 8
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """Where the MJCF file is: inside an installed Python package, which is never imported."""

    package: str = setting(help='the Python package that holds the MJCF file')
    file: str = setting(help='path of the MJCF file inside the package')

    def __post_init__(self) -> None:
        """Refuse what could leave the package, or would import it."""
        check_settings(self)
        if not self.package.isidentifier():
            raise ValueError(f'package is {self.package!r}; give the name of a top-level package')
        if Path(self.file).is_absolute() or '..' in Path(self.file).parts:
            raise ValueError(f'file is {self.file!r}; give a path inside the package')


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """One joint of the MJCF model that follows a joint of the robot."""

    joint: str = setting(help='name of the MJCF joint; a position actuator must drive it')
    scale: float = setting(1.0, help='MJCF units per unit of the joint')
    offset: float = setting(0.0, help='where the MJCF joint is when the joint is at 0')

    def __post_init__(self) -> None:
        """Refuse a drive that does not move."""
        check_settings(self)
        if self.scale == 0:
            raise ValueError(f'scale of {self.joint!r} is 0: it would never move')


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotJoint:
    """A joint as commands and recordings name it, in rad, m or any unit that the drives make."""

    name: str = setting(help='name in commands and recordings')
    drives: tuple[Drive, ...] = setting(help='the MJCF joints that follow it')
    home: float = setting(help='position in which nothing touches')
    play: Range = setting(help='lowest and highest position that play goes to')

    def __post_init__(self) -> None:
        """Refuse a range that does not hold the home position."""
        check_settings(self)
        if not self.play[0] < self.play[1]:
            raise ValueError(f'play of {self.name!r} is {list(self.play)}; the first must be '
                             'below the second')
        if not self.play[0] <= self.home <= self.play[1]:
            raise ValueError(f'home of {self.name!r} is {self.home}, outside its play range '
                             f'{list(self.play)}')


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotCamera:
    """The camera of the MJCF model that is recorded, and at which size."""

    name: str = setting(help='name of a camera in the MJCF model')
    width_px: int = setting(320, help='width of the recorded frames', unit='px', range=(16, 1920))
    height_px: int = setting(240, help='height of the recorded frames', unit='px',
                             range=(16, 1080))
    oversampling: int = setting(2, help='drawn this many times as large, to smooth edges',
                                range=(1, 4))

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_settings(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Rates of one episode; the periods are multiples of the physics step."""

    physics_s: float = setting(0.002, help='physics step', unit='s', range=(1e-4, 0.02))
    joint_s: float = setting(0.02, help='period of joint samples', unit='s', range=(1e-3, 1.0))
    frame_s: float = setting(0.1, help='period of frames', unit='s', range=(1e-2, 1.0))
    episode_s: float = setting(6.0, help='length of an episode', unit='s', range=(0.5, 600.0))
    after_hazard_s: float = setting(1.0, help='how long it goes on after the first hazard',
                                    unit='s', range=(0.0, 600.0))

    def __post_init__(self) -> None:
        """Refuse periods that physics cannot keep."""
        check_settings(self)
        for name in ('joint_s', 'frame_s'):
            ratio = getattr(self, name) / self.physics_s
            if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
                raise ValueError(f'{name} = {getattr(self, name)} s must be a multiple of '
                                 f'physics_s = {self.physics_s} s')


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaySettings:
    """How far and how fast play moves."""

    tips: tuple[str, ...] = setting(help='bodies that play moves towards objects, such as the '
                                    'middle of each gripper')
    towards: float = setting(0.65, help='share of moves towards an object', range=(0.0, 1.0))
    reach: Range = setting((0.2, 0.5), help='shortest and longest way in one chunk of the joint '
                           'that moves most, as a share of its play range', range=(0.0, 1.0))
    chunk_s: float = setting(0.8, help='how long a common move takes', unit='s', range=(0.1, 10.0))
    slow_share: float = setting(0.25, help='share of moves that take longer', range=(0.0, 1.0))
    slow_s: float = setting(2.0, help='the longest of them', unit='s', range=(0.1, 60.0))

    def __post_init__(self) -> None:
        """Refuse ranges that are upside down."""
        check_settings(self)
        if not 0 < self.reach[0] <= self.reach[1]:
            raise ValueError(f'reach is {list(self.reach)}; give the shortest, above 0, then the '
                             'longest')
        if self.slow_s < self.chunk_s:
            raise ValueError(f'slow_s = {self.slow_s} s is below chunk_s = {self.chunk_s} s')


@dataclass(frozen=True, kw_only=True, slots=True)
class ContactPair:
    """Bodies of one group against those of another; ``*`` in a name stands for anything."""

    bodies: tuple[str, ...] = setting(help='names of MJCF bodies')
    touching: tuple[str, ...] = setting(help='names of MJCF bodies')

    def __post_init__(self) -> None:
        """Check types."""
        check_settings(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class HazardRule(ContactPair):
    """A contact that counts as a hazard. The rule of a kind may be given in several parts."""

    kind: str = setting(help='what the hazard is called')


@dataclass(frozen=True, kw_only=True, slots=True)
class LooseObject:
    """A free body of the MJCF model that is placed anew for each episode."""

    body: str = setting(help='MJCF body with a free joint')
    x: Range = setting(help='range of its place', unit='m')
    y: Range = setting(help='range of its place', unit='m')
    z: float = setting(help='height at which it stands', unit='m')
    yaw: Range = setting((-3.1415, 3.1415), help='range of its turn about z', unit='rad')

    def __post_init__(self) -> None:
        """Refuse ranges that are upside down."""
        check_settings(self)
        for name in ('x', 'y', 'yaw'):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f'{name} of {self.body!r} is [{low}, {high}]; the first must '
                                 'not be above the second')


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotConfig:
    """
    Everything that ``wm-ros collect --robot`` knows of a robot.

    Frozen all through, so that it can be sent to other processes and be the key of a cache.
    """

    name: str = setting(help='name of the robot, stored with each episode')
    model: ModelFile = setting(help='where the MJCF file is')
    joints: tuple[RobotJoint, ...] = setting(help='the joints, in the order of recordings')
    camera: RobotCamera = setting(help='the camera that is recorded')
    play: PlaySettings = setting(help='how far and how fast play moves')
    hazards: tuple[HazardRule, ...] = setting(help='which contacts are hazards')
    allowed: tuple[ContactPair, ...] = setting((), help='contacts that are none after all')
    objects: tuple[LooseObject, ...] = setting((), help='what is placed anew for each episode')
    light: Range = setting((1.0, 1.0), help='range of the factor on all lights', range=(0.0, 3.0))
    timing: Timing = setting(Timing(), help='rates')

    def __post_init__(self) -> None:
        """Refuse names that are there twice and too many hazards."""
        check_settings(self)
        names = self.joint_names
        for what, given in (('joint', names), ('object', tuple(o.body for o in self.objects)),
                            ('MJCF joint', tuple(d.joint for j in self.joints for d in j.drives))):
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                raise ValueError(f'{what} {twice[0]!r} is there twice')
        if len(self.hazard_kinds) > MAX_HAZARD_KINDS:
            raise ValueError(f'hazards has {len(self.hazard_kinds)} kinds; recordings hold '
                             f'{MAX_HAZARD_KINDS}')
        if self.light[0] > self.light[1]:
            raise ValueError(f'light is {list(self.light)}; the first must not be above the '
                             'second')

    @property
    def joint_names(self) -> tuple[str, ...]:
        """J names."""
        return tuple(joint.name for joint in self.joints)

    @property
    def hazard_kinds(self) -> tuple[str, ...]:
        """The kinds, each once, in the order of the file."""
        return tuple(dict.fromkeys(rule.kind for rule in self.hazards))


def read_robot(path: Path) -> RobotConfig:
    """
    Read the YAML file of a robot.

    :raises ValueError: naming the file, the place in it and the fix.
    """
    return read_tree(path, RobotConfig)
