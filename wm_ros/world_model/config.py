# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Size, timing and normalisation of a world model: all that a reader of its weights must know."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from wm_ros.errors import CheckpointError
from wm_ros.world_model.geometry import Geometry, geometry_from_dict

FORMAT = 'wm_ros.world_model'
VERSION = 7
# A model of this version knows its patches by a linear layer alone.
_WITHOUT_EDGES = 6
ACTION_INJECTIONS = ('adaln', 'cross_attention', 'concat')
ACTION_MODES = ('absolute', 'delta')


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """
    One model of the family.

    :param joint_names: J joints, in the order of all joint arrays.
    :param camera_name: the camera whose place the geometry describes; hazards are looked for in
        its picture first.
    :param extra_cameras: further cameras; V pictures stand above each other as one.
    :param joint_mean: centre of the joint positions, rad.
    :param joint_std: spread of the joint positions, rad.
    :param velocity_std: spread of the joint velocities, rad/s.
    :param image_height: of one camera, px; a multiple of ``patch_px * token_stride``.
    :param image_width: px; the same.
    :param context_len: T, frames of history, ``step_s`` apart.
    :param horizon: H, predicted steps.
    :param step_s: time between steps, s.
    :param patch_px: edge of the squares that features of full detail stand for; even.
    :param token_stride: edge of the group of patches that one token stands for; even.
    :param edge_dim: channels in which edges within patches are looked for; 0 for none.
    :param detail_dim: channels at patch resolution.
    :param middle_dim: channels at half of it.
    :param dim: D, channels of a token.
    :param num_blocks: space-time blocks of the dynamics.
    :param num_heads: attention heads.
    :param num_hazard_heads: M, size of the ensemble.
    :param action_injection: how dynamics are told the action: ``adaln`` (scales and shifts),
        ``cross_attention`` (to the actions so far) or ``concat`` (a token in the stream).
    :param action_mode: ``absolute``: joint targets are told as they are and as change; ``delta``:
        as change alone, so that the same move from another place looks the same.
    :param residual_dim: channels of a token's residual latent, which the sampler draws; 0 for a
        model without a sampler.
    :param flow_blocks: blocks of the sampler.
    :param substeps: arm poses that are looked at for hazards in each step.
    :param geometry: the robot's shape and the camera's place, None where they are not known.
    """

    joint_names: tuple[str, ...]
    camera_name: str
    joint_mean: tuple[float, ...]
    joint_std: tuple[float, ...]
    velocity_std: tuple[float, ...]
    extra_cameras: tuple[str, ...] = ()
    image_height: int = 144
    image_width: int = 192
    context_len: int = 2
    horizon: int = 10
    step_s: float = 0.1
    patch_px: int = 4
    token_stride: int = 6
    edge_dim: int = 24
    detail_dim: int = 48
    middle_dim: int = 64
    dim: int = 96
    num_blocks: int = 2
    num_heads: int = 4
    num_hazard_heads: int = 4
    action_injection: str = 'adaln'
    action_mode: str = 'absolute'
    residual_dim: int = 8
    flow_blocks: int = 2
    substeps: int = 3
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        cell = self.patch_px * self.token_stride
        for name in ('image_height', 'image_width'):
            if getattr(self, name) <= 0 or getattr(self, name) % cell:
                raise ValueError(f'{name} = {getattr(self, name)} must be a positive multiple of '
                                 f'patch_px * token_stride = {cell}')
        for name in ('joint_mean', 'joint_std', 'velocity_std'):
            if len(getattr(self, name)) != len(self.joint_names):
                raise ValueError(f'{name} has {len(getattr(self, name))} entries for '
                                 f'{len(self.joint_names)} joints')
        if self.context_len < 2:
            raise ValueError(f'context_len = {self.context_len} must be at least 2: one frame '
                             'shows no motion')
        if self.horizon < 1 or not self.step_s > 0:
            raise ValueError(
                f'horizon = {self.horizon} and step_s = {self.step_s} must be above 0')
        self._check_choices()
        self._check_cameras()

    def _check_cameras(self) -> None:
        names = self.extra_cameras
        if not isinstance(names, tuple) or len({self.camera_name, *names}) != 1 + len(names):
            raise ValueError(f'extra_cameras = {names!r} must be names of further cameras, each '
                             f'once and none of them the main camera {self.camera_name!r}')

    def _check_choices(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f'dim = {self.dim} is not a multiple of num_heads = {self.num_heads}')
        for name, choices in (('action_injection', ACTION_INJECTIONS),
                              ('action_mode', ACTION_MODES)):
            if getattr(self, name) not in choices:
                raise ValueError(f'{name} = {getattr(self, name)!r} must be one of {choices}')
        for name, unit in (('detail_dim', 8), ('middle_dim', 8), ('dim', 8), ('patch_px', 2),
                           ('token_stride', 2)):
            if getattr(self, name) % unit:
                raise ValueError(f'{name} = {getattr(self, name)} must be a multiple of {unit}')
        for name, least in (('num_blocks', 1), ('num_hazard_heads', 1), ('residual_dim', 0),
                            ('edge_dim', 0), ('flow_blocks', 1), ('substeps', 1)):
            if getattr(self, name) < least:
                raise ValueError(f'{name} = {getattr(self, name)} must be at least {least}')

    @property
    def cameras(self) -> tuple[str, ...]:
        """V names, in the order of the pictures from top to bottom."""
        return (self.camera_name, *self.extra_cameras)

    @property
    def picture_height(self) -> int:
        """Height of all cameras' pictures above each other, px."""
        return self.image_height * len(self.cameras)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid over all cameras."""
        cell = self.patch_px * self.token_stride
        return self.picture_height // cell, self.image_width // cell

    @property
    def detail_grid(self) -> tuple[int, int]:
        """Rows and columns of the grid of detailed features over all cameras."""
        return self.picture_height // self.patch_px, self.image_width // self.patch_px

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.joint_names)

    @property
    def horizon_s(self) -> float:
        """How far the model looks ahead of its newest frame, s."""
        return self.horizon * self.step_s


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """Return the JSON form of a config, with its format and version."""
    return {'format': FORMAT, 'version': VERSION, **asdict(config)}


def config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """
    Read the JSON form of a config.

    :raises CheckpointError: if the format, version or a key is not this program's.
    """
    content = dict(values)
    found = content.pop('format', None), content.pop('version', None)
    if found == (FORMAT, _WITHOUT_EDGES):
        content['edge_dim'] = 0
    elif found != (FORMAT, VERSION):
        raise CheckpointError(f'model config is format {found[0]!r} version {found[1]!r}; this '
                              f'program reads {FORMAT!r} versions {_WITHOUT_EDGES} and {VERSION}')
    known = {item.name for item in fields(ModelConfig)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise CheckpointError(f'model config has unknown keys {unknown}')
    if content.get('geometry') is not None:
        content['geometry'] = geometry_from_dict(content['geometry'])
    for key, value in content.items():
        if isinstance(value, list):
            content[key] = tuple(value)
    try:
        return ModelConfig(**content)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f'model config: {error}') from error
