# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compile the MJCF model of a configured robot and look up every name of its configuration."""

import difflib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import SimulationError
from wm_ros.simulation.robot_config import ContactPair, ModelFile, RobotConfig

_SHADOW_PX = 1024


@dataclass(frozen=True, slots=True, eq=False)
class RobotModel:
    """
    A compiled model and where in it the robot's parts are.

    Letters: J joints, K driven MJCF joints, G geoms.

    :param model: what MuJoCo made of the file.
    :param owner: the joint that each driven one follows, int64 (K,).
    :param first: the driven one from which each joint is measured, int64 (J,).
    :param scale: MJCF units per unit of the joint, float64 (K,).
    :param offset: the same, where the joint is at 0.
    :param qpos: address of each driven position, int64 (K,).
    :param qvel: the same of its velocity.
    :param ctrl: the actuator of each, int64 (K,).
    :param lower: lowest command, float64 (J,).
    :param upper: highest command, float64 (J,).
    :param kinds: for each pair of geoms 0 or 1 + the index of its hazard kind, int8 (G, G).
    :param objects: address of each loose object's free joint in qpos.
    :param tips: bodies that play moves towards objects.
    """

    model: mujoco.MjModel
    owner: NDArray[np.int64]
    first: NDArray[np.int64]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    qpos: NDArray[np.int64]
    qvel: NDArray[np.int64]
    ctrl: NDArray[np.int64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    kinds: NDArray[np.int8]
    objects: tuple[int, ...]
    tips: tuple[int, ...]


def model_path(location: ModelFile) -> Path:
    """
    Return where the MJCF file is, without importing the package that holds it.

    :raises SimulationError: if the package is not installed or has no such file.
    """
    spec = importlib.util.find_spec(location.package)
    if spec is None or not spec.submodule_search_locations:
        raise SimulationError(
            f'model.package {location.package!r} is not installed; run '
            f"'pip install {location.package.replace('_', '-')}'")
    for root in spec.submodule_search_locations:
        path = Path(root) / location.file
        if path.is_file():
            return path
    there = sorted(str(item.relative_to(root)) for root in spec.submodule_search_locations
                   for item in Path(root).rglob('*.xml'))
    raise SimulationError(f'model.file {location.file!r} is not in package '
                          f'{location.package!r}, which has {there}')


def build_robot(config: RobotConfig) -> RobotModel:
    """
    Compile the model and find everything that the configuration names.

    :raises SimulationError: if the file is not there or MuJoCo refuses it.
    :raises ValueError: naming what is not in the model, and what is.
    """
    path = model_path(config.model)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        _set_options(spec, config)
        model = spec.compile()
    except ValueError as error:
        raise SimulationError(f'{path}: MuJoCo cannot compile it: {error}') from error
    _check_camera(model, config)
    drives = [drive for joint in config.joints for drive in joint.drives]
    owner = np.array([index for index, joint in enumerate(config.joints) for _ in joint.drives])
    joints = [_driven_joint(model, drive.joint) for drive in drives]
    scale = np.array([drive.scale for drive in drives])
    offset = np.array([drive.offset for drive in drives])
    ctrl = np.array([_actuator(model, drive.joint, joint)
                     for drive, joint in zip(drives, joints, strict=True)])
    lower, upper = _limits(model, ctrl, owner, scale, offset)
    _check_play(config, lower, upper)
    return RobotModel(
        model=model, owner=owner, first=np.searchsorted(owner, np.arange(len(config.joints))),
        scale=scale, offset=offset, qpos=model.jnt_qposadr[joints].astype(np.int64),
        qvel=model.jnt_dofadr[joints].astype(np.int64), ctrl=ctrl, lower=lower, upper=upper,
        kinds=_hazard_kinds(model, config),
        objects=tuple(_free_joint(model, item.body) for item in config.objects),
        tips=tuple(_find(model, mujoco.mjtObj.mjOBJ_BODY, name, 'play.tips')
                   for name in config.play.tips))


def _set_options(spec: mujoco.MjSpec, config: RobotConfig) -> None:
    camera = config.camera
    spec.option.timestep = config.timing.physics_s
    spec.visual.global_.offwidth = camera.width_px * camera.oversampling
    spec.visual.global_.offheight = camera.height_px * camera.oversampling
    # Every user of the picture scales it down, which smooths edges better than multisampling
    # does; with both off, a software renderer draws ALOHA five times as fast.
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = _SHADOW_PX


def _names(model: mujoco.MjModel, kind: mujoco.mjtObj) -> list[str]:
    counts = {mujoco.mjtObj.mjOBJ_BODY: model.nbody, mujoco.mjtObj.mjOBJ_JOINT: model.njnt,
              mujoco.mjtObj.mjOBJ_CAMERA: model.ncam}
    found = (mujoco.mj_id2name(model, kind, index) for index in range(counts[kind]))
    return [name or '' for name in found]


def _find(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str, where: str) -> int:
    names = _names(model, kind)
    if name not in names:
        raise ValueError(f'{where} {name!r} is not in the MJCF model; {_alike(name, names)}')
    return names.index(name)


def _alike(name: str, names: Iterable[str]) -> str:
    known = sorted(item for item in names if item)
    near = difflib.get_close_matches(name, known, 3)
    return f'did you mean {near}?' if near else f'there are {known}'


def _check_camera(model: mujoco.MjModel, config: RobotConfig) -> None:
    _find(model, mujoco.mjtObj.mjOBJ_CAMERA, config.camera.name, 'camera.name')


def _driven_joint(model: mujoco.MjModel, name: str) -> int:
    joint = _find(model, mujoco.mjtObj.mjOBJ_JOINT, name, 'joint')
    # An enumeration of MuJoCo equals a Python integer, not one of numpy.
    kinds = mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE
    if int(model.jnt_type[joint]) not in kinds:
        raise ValueError(f'joint {name!r} is neither a hinge nor a slide')
    return joint


def _actuator(model: mujoco.MjModel, name: str, joint: int) -> int:
    """Return the position actuator of a joint: its gain pulls towards the command."""
    on_joint = (model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)) & (
        model.actuator_trnid[:, 0] == joint)
    # MuJoCo's position servo: force = kp * ctrl - kp * position - kv * velocity.
    servo = (model.actuator_gainprm[:, 0] > 0) & np.isclose(
        model.actuator_biasprm[:, 1], -model.actuator_gainprm[:, 0])
    found = np.flatnonzero(on_joint & servo)
    if not len(found):
        raise ValueError(f'joint {name!r} has no position actuator in the MJCF model; '
                         'name a joint that one drives')
    return int(found[0])


def _limits(model: mujoco.MjModel, ctrl: NDArray[np.int64], owner: NDArray[np.int64],
            scale: NDArray[np.float64], offset: NDArray[np.float64]
            ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the commands of each joint that all of its actuators can follow."""
    limited = model.actuator_ctrllimited[ctrl].astype(bool)[:, None]
    ranges = np.where(limited, model.actuator_ctrlrange[ctrl], [-np.inf, np.inf])
    ends = np.sort((ranges - offset[:, None]) / scale[:, None], axis=1)
    lower, upper = np.full(owner[-1] + 1, -np.inf), np.full(owner[-1] + 1, np.inf)
    np.maximum.at(lower, owner, ends[:, 0])
    np.minimum.at(upper, owner, ends[:, 1])
    return lower, upper


def _check_play(config: RobotConfig, lower: NDArray[np.float64], upper: NDArray[np.float64]
                ) -> None:
    for joint, low, high in zip(config.joints, lower, upper, strict=True):
        if joint.play[0] < low - 1e-6 or joint.play[1] > high + 1e-6:
            raise ValueError(f'play of joint {joint.name!r} is {list(joint.play)}; its actuators '
                             f'reach {low:.4g} to {high:.4g}')


def _free_joint(model: mujoco.MjModel, name: str) -> int:
    body = _find(model, mujoco.mjtObj.mjOBJ_BODY, name, 'objects.body')
    joint = model.body_jntadr[body]
    if joint < 0 or int(model.jnt_type[joint]) != mujoco.mjtJoint.mjJNT_FREE:
        raise ValueError(f'object {name!r} has no free joint in the MJCF model and cannot be '
                         'placed; name a body that has one')
    return int(model.jnt_qposadr[joint])


def _hazard_kinds(model: mujoco.MjModel, config: RobotConfig) -> NDArray[np.int8]:
    """Return what a contact of two geoms is, int8 (G, G); later rules win, ``allowed`` last."""
    kinds = np.zeros((model.ngeom, model.ngeom), np.int8)
    rules: list[tuple[str, ContactPair, int]] = [
        (f'hazards[{index}]', rule, 1 + config.hazard_kinds.index(rule.kind))
        for index, rule in enumerate(config.hazards)]
    rules += [(f'allowed[{index}]', rule, 0) for index, rule in enumerate(config.allowed)]
    for where, rule, value in rules:
        first = _geoms(model, rule.bodies, f'{where}.bodies')
        second = _geoms(model, rule.touching, f'{where}.touching')
        kinds[np.ix_(first, second)] = kinds[np.ix_(second, first)] = value
    return kinds


def _geoms(model: mujoco.MjModel, patterns: tuple[str, ...], where: str) -> NDArray[np.bool_]:
    """Return which geoms belong to bodies of these names, bool (G,)."""
    names = _names(model, mujoco.mjtObj.mjOBJ_BODY)
    chosen = np.zeros(model.nbody, bool)
    for pattern in patterns:
        fits = [fnmatchcase(name, pattern) for name in names]
        if not any(fits):
            raise ValueError(f'{where}: no body of the MJCF model is called {pattern!r}; '
                             f'{_alike(pattern, names)}')
        chosen |= fits
    return chosen[model.geom_bodyid]
