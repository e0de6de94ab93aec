# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which contacts of a simulation count as hazards, from a table over pairs of geoms."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Contact:
    """
    One contact that counts as a hazard.

    :param kind: object, table, self or whatever else the robot's rules name.
    :param pair: the two bodies.
    :param force: normal force, N.
    """

    kind: str
    pair: tuple[str, str]
    force: float


def touches(data: mujoco.MjData, kinds: NDArray[np.int8]) -> bool:
    """
    Say whether any contact counts as a hazard; cheaper than ``contacts``.

    :param kinds: for each pair of geoms the index of its kind, 0 for none, int8 (G, G).
    """
    count = data.ncon
    if not count:
        return False
    pairs = data.contact.geom[:count]
    touching = data.contact.dist[:count] < 0
    return bool((kinds[pairs[:, 0], pairs[:, 1]][touching] > 0).any())


def contacts(model: mujoco.MjModel, data: mujoco.MjData, kinds: NDArray[np.int8],
             names: tuple[str, ...], *, world: str = 'world') -> tuple[Contact, ...]:
    """
    Return the contacts that count as hazards, right now.

    :param kinds: for each pair of geoms the index in ``names``, 0 for none, int8 (G, G).
    :param world: what to call the body that never moves.
    """
    def body(geom: int) -> str:
        name = str(model.body(model.geom_bodyid[geom]).name)
        return world if name == 'world' else name

    found = []
    force = np.zeros(6)
    for index in range(data.ncon):
        contact = data.contact[index]
        kind = kinds[contact.geom1, contact.geom2]
        if kind and contact.dist < 0:
            mujoco.mj_contactForce(model, data, index, force)
            pair = body(contact.geom1), body(contact.geom2)
            found.append(Contact(names[kind], pair, float(force[0])))
    return tuple(found)
