# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The table top: what stands on it, how it is lit and where the cameras are, all from one seed.

Frames follow REP-103: x forward from the arm's base, y to its left, z up, metres.
"""

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass

import mujoco
import numpy as np

from wm_ros.simulation.assets import MODEL_FILE, so101_directory

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
class SceneObject:
    """
    One loose object.

    :param shape: box, cylinder or capsule.
    :param size: half extents (box) or radius, half height, 0 (others), m.
    :param position: centre on the table, (x, y), m.
    :param yaw_rad: turn about z.
    :param rgb: colour, 0 to 1.
    :param density: kg/m^3.
    """

    shape: str
    size: tuple[float, float, float]
    position: tuple[float, float]
    yaw_rad: float
    rgb: tuple[float, float, float]
    density: float

    @property
    def height(self) -> float:
        """Half of the object's height, m."""
        extra = self.size[0] if self.shape == 'capsule' else 0.0
        return extra + (self.size[2] if self.shape == 'box' else self.size[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """
    Everything of a scene that a seed decides.

    :param objects: up to three loose objects.
    :param table_rgb: colour of the table, 0 to 1.
    :param light: factor on the lamp, 1 is normal.
    :param light_position: of the lamp above the table, m.
    """

    objects: tuple[SceneObject, ...]
    table_rgb: tuple[float, float, float]
    light: float
    light_position: tuple[float, float, float]


def sample_scene(seed: int) -> Scene:
    """Return the scene of a seed: the same seed gives the same scene on every machine."""
    rng = np.random.default_rng([seed, 0x5CE])
    objects: list[SceneObject] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.1, 0.3, 0.6]))):
        placed = _place(rng, objects)
        if placed is not None:
            objects.append(placed)
    shade = rng.uniform(0.35, 0.75)
    tint = rng.uniform(-0.06, 0.06, 3)
    return Scene(
        objects=tuple(objects),
        table_rgb=_triple(np.clip(shade + tint, 0, 1)),
        light=float(rng.uniform(0.75, 1.1)),
        light_position=(
            float(rng.uniform(0.0, 0.5)), float(rng.uniform(-0.4, 0.4)),
            float(rng.uniform(0.9, 1.3))))


def _place(rng: np.random.Generator, others: list[SceneObject]) -> SceneObject | None:
    for _ in range(50):
        radius, bearing = rng.uniform(0.17, 0.36), rng.uniform(-0.95, 0.95)
        position = (float(radius * np.cos(bearing)), float(radius * np.sin(bearing)))
        if all(np.hypot(position[0] - o.position[0], position[1] - o.position[1]) > 0.09
               for o in others):
            break
    else:
        return None
    shape = str(rng.choice(['box', 'cylinder', 'capsule']))
    half_height = rng.uniform(0.03, 0.085)
    if shape == 'box':
        size = (float(rng.uniform(0.014, 0.03)), float(rng.uniform(0.014, 0.03)),
                float(half_height))
    else:
        radius = float(rng.uniform(0.014, 0.028))
        # A capsule's half height is that of its cylinder: the caps come on top.
        flat = half_height - radius if shape == 'capsule' else half_height
        size = (radius, float(max(flat, 0.01)), 0.0)
    # Any colour but the arm's yellow, which a camera could not tell from the arm.
    hue = float(rng.choice([rng.uniform(0.25, 1.0), rng.uniform(0.0, 0.06)], p=[0.9, 0.1]))
    rgb = colorsys.hsv_to_rgb(hue, rng.uniform(0.55, 1.0), rng.uniform(0.4, 1.0))
    return SceneObject(
        shape=shape, size=size, position=position, yaw_rad=float(rng.uniform(-np.pi, np.pi)),
        rgb=_triple(rgb), density=float(rng.uniform(300, 900)))


def build_model(scene: Scene) -> mujoco.MjModel:
    """
    Compile the arm, the table and the scene's objects.

    :raises SimulationError: if the arm's model is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(so101_directory() / MODEL_FILE))
    spec.option.timestep = TIMESTEP_S
    spec.visual.global_.offwidth, spec.visual.global_.offheight = IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX
    spec.visual.headlight.ambient = [0.35] * 3
    spec.visual.headlight.diffuse = [0.25] * 3
    # Every user of the picture scales it down, which smooths edges better than multisampling
    # does at two thirds of the time; shadows stay, they show how high the arm is.
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 1024
    for body in spec.bodies:
        if body.name not in ('world', ''):
            # Real servos hold their set-point against gravity by their integral term.
            body.gravcomp = 1.0
    _add_table(spec, scene)
    _add_cameras(spec)
    for index, item in enumerate(scene.objects):
        _add_object(spec, index, item)
    return spec.compile()


def _add_table(spec: mujoco.MjSpec, scene: Scene) -> None:
    world = spec.worldbody
    world.add_geom(
        name=TABLE, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.6, 0.6, 0.02], pos=[0.25, 0, -0.02],
        rgba=[*scene.table_rgb, 1.0], friction=[0.8, 0.005, 0.0001])
    world.add_light(
        pos=list(scene.light_position), dir=_unit(np.array([0.2, 0, 0]) - scene.light_position),
        diffuse=[0.6 * scene.light] * 3, specular=[0.1] * 3, castshadow=True)
    spec.add_texture(
        name='sky', type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, rgb1=[0.55, 0.6, 0.65],
        rgb2=[0.3, 0.32, 0.35], width=32, height=192)


def _add_cameras(spec: mujoco.MjSpec) -> None:
    eye, target = np.array([0.74, -0.35, 0.48]), np.array([0.18, 0.0, 0.125])
    spec.worldbody.add_camera(
        name=FRONT_CAMERA, pos=eye, fovy=48.0, quat=_look_at(eye, target))
    spec.body('gripper').add_camera(
        name=WRIST_CAMERA, pos=[0.0, -0.06, 0.0], fovy=70.0,
        quat=_look_at(np.array([0.0, -0.06, 0.0]), np.array([0.0, -0.01, -0.1])))


def _add_object(spec: mujoco.MjSpec, index: int, item: SceneObject) -> None:
    kinds = {'box': mujoco.mjtGeom.mjGEOM_BOX, 'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
             'capsule': mujoco.mjtGeom.mjGEOM_CAPSULE}
    body = spec.worldbody.add_body(
        name=f'object_{index}', pos=[*item.position, item.height + 0.0005],
        quat=[np.cos(item.yaw_rad / 2), 0, 0, np.sin(item.yaw_rad / 2)])
    body.add_freejoint(name=f'object_{index}')
    body.add_geom(
        name=f'object_{index}', type=kinds[item.shape], size=list(item.size),
        density=item.density, rgba=[*item.rgb, 1.0], friction=[0.7, 0.005, 0.0005])


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
