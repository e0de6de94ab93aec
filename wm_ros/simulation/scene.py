# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The table top: what stands on it, how it is lit and where the cameras are, all from one seed.

Frames follow REP-103: x forward from the arm's base, y to its left, z up, metres.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import mujoco
import numpy as np

from wm_ros.simulation.assets import MODEL_FILE, so101_directory
from wm_ros.simulation.look import TEXTURE_PX, Look, TableTexture
from wm_ros.simulation.objects import SceneObject, add_object
from wm_ros.simulation.splits import SPLITS, draw_light, draw_look, draw_object, stream

JOINT_NAMES = (
    'shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
MAX_OBJECTS = 3
IMAGE_WIDTH_PX = 640
IMAGE_HEIGHT_PX = 480
FRONT_CAMERA = 'front'
WRIST_CAMERA = 'wrist'
TABLE = 'table'
# Physics step: the arm's contact-free motion is the same at 2 ms and at 4 ms, contacts are not.
TIMESTEP_S = 0.002


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """
    Everything of a scene that a seed decides.

    :param objects: up to three loose objects.
    :param table_rgb: colour of the table, 0 to 1.
    :param light: factor on the lamp, 1 is normal.
    :param light_position: of the lamp above the table, m.
    :param look: what a split may change of the picture.
    """

    objects: tuple[SceneObject, ...]
    table_rgb: tuple[float, float, float]
    light: float
    light_position: tuple[float, float, float]
    look: Look = field(default_factory=Look)


def sample_scene(seed: int, split: str = 'id') -> Scene:
    """
    Return the scene of a seed: the same seed gives the same scene on every machine.

    :param split: one of SPLITS; each draws from random numbers of its own.
    :raises ValueError: if there is no such split.
    """
    rng = stream(seed, 0x5CE, split)
    objects: list[SceneObject] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.1, 0.3, 0.6]))):
        placed = draw_object(rng, split, objects)
        if placed is not None:
            objects.append(placed)
    shade = rng.uniform(0.35, 0.75)
    tint = rng.uniform(-0.06, 0.06, 3)
    light, light_position = draw_light(rng, split)
    return Scene(
        objects=tuple(objects), table_rgb=_triple(np.clip(shade + tint, 0, 1)), light=light,
        light_position=light_position, look=draw_look(rng, split))


def scene_info(scene: Scene) -> dict[str, Any]:
    """
    Return everything drawn for a scene, as an episode remembers it.

    The default look is left out: files of the ``id`` split are the same to the byte as those
    from before there were others.
    """
    info = asdict(scene)
    if scene.look == Look():
        del info['look']
    return info


def build_model(scene: Scene) -> mujoco.MjModel:
    """
    Compile the arm, the table and the scene's objects.

    :raises SimulationError: if the arm's model is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(so101_directory() / MODEL_FILE))
    spec.option.timestep = TIMESTEP_S
    spec.visual.global_.offwidth, spec.visual.global_.offheight = IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX
    spec.visual.headlight.ambient = [0.35 * scene.look.ambient] * 3
    spec.visual.headlight.diffuse = [0.25 * scene.look.ambient] * 3
    # Every user of the picture scales it down, which smooths edges better than multisampling
    # does at two thirds of the time; shadows stay, they show how high the arm is.
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 1024
    for body in spec.bodies:
        if body.name not in ('world', ''):
            # Real servos hold their set-point against gravity by their integral term.
            body.gravcomp = 1.0
    _add_table(spec, scene)
    _add_cameras(spec, scene.look)
    for index, item in enumerate(scene.objects):
        add_object(spec, index, item)
    return spec.compile()


def _add_table(spec: mujoco.MjSpec, scene: Scene) -> None:
    world = spec.worldbody
    table = world.add_geom(
        name=TABLE, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.6, 0.6, 0.02], pos=[0.25, 0, -0.02],
        rgba=[*scene.table_rgb, 1.0], friction=[0.8, 0.005, 0.0001])
    if scene.look.table_texture is not None:
        _cover(spec, table, scene.look.table_texture)
    world.add_light(
        pos=list(scene.light_position), dir=_unit(np.array([0.2, 0, 0]) - scene.light_position),
        diffuse=[0.6 * scene.light * share for share in scene.look.light_rgb],
        specular=[0.1] * 3, castshadow=True)
    spec.add_texture(
        name='sky', type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, rgb1=[0.55, 0.6, 0.65],
        rgb2=[0.3, 0.32, 0.35], width=32, height=192)


def _cover(spec: mujoco.MjSpec, table: Any, texture: TableTexture) -> None:
    """Draw a pattern on the table: its own colour would be multiplied with the pattern's."""
    image = spec.add_texture(name=TABLE, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3,
                             width=TEXTURE_PX, height=TEXTURE_PX)
    image.data = texture.pixels().tobytes()
    material = spec.add_material(name=TABLE, rgba=[1.0] * 4)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = TABLE
    table.material, table.rgba = TABLE, [1.0] * 4


def _add_cameras(spec: mujoco.MjSpec, look: Look) -> None:
    eye, target = np.array([0.74, -0.35, 0.48]), np.array([0.18, 0.0, 0.125])
    position, quat = look.camera.apply(eye, _look_at(eye, target))
    spec.worldbody.add_camera(name=FRONT_CAMERA, pos=position, fovy=48.0, quat=quat)
    spec.body('gripper').add_camera(
        name=WRIST_CAMERA, pos=[0.0, -0.06, 0.0], fovy=70.0,
        quat=_look_at(np.array([0.0, -0.06, 0.0]), np.array([0.0, -0.01, -0.1])))


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the quaternion of a camera at ``eye`` that looks at ``target``, its y up."""
    backward = _unit(eye - target)
    right = _unit(np.cross([0.0, 0.0, 1.0], backward))
    up = np.cross(backward, right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, up, backward], axis=1).ravel())
    return quat


__all__ = [
    'FRONT_CAMERA', 'IMAGE_HEIGHT_PX', 'IMAGE_WIDTH_PX', 'JOINT_NAMES', 'MAX_OBJECTS', 'SPLITS',
    'TABLE', 'TIMESTEP_S', 'WRIST_CAMERA', 'Scene', 'SceneObject', 'build_model', 'sample_scene',
    'scene_info']
