# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read what a run is made of: sizes of the model and settings of its training.

A YAML file has the sections ``model`` and ``train``, or train settings alone at its top. Joints,
camera and normalisation are not in it: they come from the episodes.
"""

import os
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from wm_ros.training.config import TrainConfig
from wm_ros.world_model.config import ModelConfig

FROM_EPISODES = frozenset(
    {'joint_names', 'camera_name', 'joint_mean', 'joint_std', 'velocity_std', 'geometry'})
_SECTIONS = ('model', 'train')


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """
    One way to train.

    :param model: fields of ModelConfig to their values; what is not here keeps its default.
    :param train: the same for TrainConfig.
    """

    model: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)

    def train_config(self) -> TrainConfig:
        """Return the checked settings of the training."""
        return TrainConfig(**self.train)


def read_recipe(name: str | None, changes: list[str], *, steps: int | None = None) -> Recipe:
    """
    Read a recipe and change it.

    :param name: a YAML file, or the name of a shipped one such as ``small``; defaults if None.
    :param changes: ``KEY=VALUE`` or ``model.KEY=VALUE`` each.
    :raises ValueError: if there is no such file or setting, or a value cannot be one.
    """
    sections = _read_file(_find(name)) if name else {'model': {}, 'train': {}}
    if steps is not None:
        sections['train']['steps'] = steps
    for item in changes:
        key, found, text = item.partition('=')
        if not found:
            raise ValueError(f'--set {item!r} must be KEY=VALUE')
        section, dot, rest = key.partition('.')
        if not dot or section not in _SECTIONS:
            section, rest = 'train', key
        sections[section][rest] = yaml.safe_load(text)
    return Recipe(model=_checked(sections['model'], ModelConfig, 'model'),
                  train=_checked(sections['train'], TrainConfig, 'training'))


def _find(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    # The source tree, an environment that pip installed into, an overlay that colcon built.
    package = Path(__file__).resolve().parents[1]
    shares = [sys.prefix, *filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep))]
    for root in (package.parent, *(Path(share) / 'share' / 'wm_ros' for share in shares)):
        shipped = root / 'config' / 'train' / f'{name}.yaml'
        if shipped.is_file():
            return shipped
    raise ValueError(f'--config {name}: no such file, and no recipe of that name is shipped; '
                     'there are tiny, small and base')


def _read_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not YAML: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold keys and values')
    if not set(content) & set(_SECTIONS):
        return {'model': {}, 'train': content}
    unknown = sorted(set(content) - set(_SECTIONS))
    if unknown:
        raise ValueError(f'{path}: {unknown} are no sections; there are {list(_SECTIONS)}')
    for section in _SECTIONS:
        content[section] = content.get(section) or {}
        if not isinstance(content[section], dict):
            raise ValueError(f'{path}: section {section!r} must hold keys and values')
    return content


def _checked(values: dict[str, Any], kind: type[Any], what: str) -> dict[str, Any]:
    known = {item.name: item.type for item in fields(kind) if item.name not in FROM_EPISODES}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f'{unknown} are no {what} settings; there are {sorted(known)}')
    return {key: _as_meant(value, known[key]) for key, value in values.items()}


def _as_meant(value: Any, kind: Any) -> Any:
    """Undo what YAML makes of a bare no (False), of 3e-4 (a word) and of tuples (lists)."""
    if value is False and kind is str:
        return 'no'
    if isinstance(value, str) and kind is float:
        try:
            return float(value)
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value
