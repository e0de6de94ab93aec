# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A checkpoint directory: weights, exported graphs, thresholds and a manifest of their hashes.

Nothing in it is ever unpickled. Every file's SHA-256 is in ``manifest.json`` and is checked
before anything is loaded, and every file lies beside the manifest: a checkpoint from elsewhere
must not make this program read what is not its own.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_ros.calibration.thresholds import Calibration, calibration_from_dict
from wm_ros.errors import CalibrationError, CheckpointError
from wm_ros.world_model.config import ModelConfig, config_from_dict

CONFIG_FILE = 'config.json'
WEIGHTS_FILE = 'model.safetensors'
BASELINE_FILE = 'baseline_kinematic.safetensors'
CALIBRATION_FILE = 'calibration.json'
# Written by wm-ros calibrate as well: what the predictor's distrust of itself rests on.
DRIFT_FILE = 'drift.safetensors'
SELF_TEST_FILE = 'self_test.safetensors'
# What the weights make of stored inputs, to know them again on any engine.
GOLDEN_FILE = 'golden.safetensors'
MANIFEST_FILE = 'manifest.json'
MODEL_CARD_FILE = 'README.md'
GRAPH_FILES = {'encode': 'encode.onnx', 'predict': 'predict.onnx', 'decode': 'decode.onnx'}
# Only a model that knows the arm's geometry has this.
GEOMETRY_FILES = {'shade': 'shade.onnx'}
# Only a model with a sampler has these.
SAMPLER_FILES = {'flow': 'flow.onnx', 'without_action': 'without_action.onnx'}
DEFAULT_NAME = 'so101_tiny'
# Of the graphs' inputs and outputs. 1: each chunk with its own context, shadows with the encoder.
# 2: the decoder samples the newest frame where the arm's pixels were. 3: it takes them carried.
# 4: how far off joints are is a matrix.
GRAPHS_VERSION = 4

_PLAIN_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]*')
_SHA256 = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    A checkpoint whose files are all there and unaltered.

    :param directory: where it is.
    :param config: the model's size, timing and normalisation.
    :param calibration: thresholds, or None where it was never calibrated.
    :param model_id: its name and the first digits of its weights' hash.
    :param sha256: hash of each file that the manifest lists, by name.
    """

    directory: Path
    config: ModelConfig
    calibration: Calibration | None
    model_id: str
    sha256: Mapping[str, str] = field(default_factory=dict)

    def graph(self, name: str) -> Path:
        """Return the file of an exported graph."""
        return self.directory / {**GRAPH_FILES, **GEOMETRY_FILES, **SAMPLER_FILES}[name]

    def optional(self, name: str) -> Path | None:
        """Return a file that a checkpoint may lack; None if the manifest does not list it."""
        return self.directory / name if name in self.sha256 else None


def resolve_checkpoint(name: str) -> Path:
    """
    Return the directory that ``name`` stands for: a path, or 'default' for the shipped one.

    :raises CheckpointError: if there is no such directory.
    """
    if not name:
        raise CheckpointError("checkpoint_path is empty: give a directory, or 'default' for the "
                              'shipped SO-101 model')
    if name == 'default':
        for root in _model_roots():
            if (root / DEFAULT_NAME / MANIFEST_FILE).is_file():
                return root / DEFAULT_NAME
        raise CheckpointError(f'the shipped checkpoint {DEFAULT_NAME!r} is in none of '
                              f'{[str(root) for root in _model_roots()]}; run make setup')
    path = Path(name).expanduser()
    if not path.is_dir():
        raise CheckpointError(f'no checkpoint directory at {name!r}; give the directory that '
                              "'wm-ros train' wrote, or 'default'")
    return path


def _model_roots() -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    # The source tree, an environment that pip installed into, an overlay that colcon built.
    roots = [package.parent / 'models', Path(sys.prefix) / 'share' / 'wm_ros' / 'models']
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        if prefix:
            roots.append(Path(prefix) / 'share' / 'wm_ros' / 'models')
    return roots


def load_checkpoint(path: Path, *, is_for_export: bool = False, is_for_calibration: bool = False
                    ) -> Checkpoint:
    """
    Open a checkpoint directory and verify every file of it.

    :param is_for_export: its graphs may be missing or of another version: they are made anew.
    :param is_for_calibration: its thresholds are not read: others are chosen.
    :raises CheckpointError: if a file is missing, altered, unreadable or of another version.
    """
    manifest = _read_json(path / MANIFEST_FILE)
    hashes = _read_hashes(path, manifest)
    for name, digest in hashes.items():
        _verify(path / name, digest)
    graphs = () if is_for_export else GRAPH_FILES.values()
    for name in (CONFIG_FILE, WEIGHTS_FILE, *graphs):
        if name not in hashes:
            raise CheckpointError(f'{path / MANIFEST_FILE} lists no hash of {name}; export the '
                                  "checkpoint again with 'wm-ros export'")
    version = manifest.get('graphs', 1)
    if version != GRAPHS_VERSION and not is_for_export:
        raise CheckpointError(f'{path}: its exported graphs are version {version!r}, this program '
                              f"runs {GRAPHS_VERSION}; export the checkpoint again with 'wm-ros "
                              f"export --renew --checkpoint {path}'")
    calibration = None
    if CALIBRATION_FILE in hashes and not is_for_calibration:
        calibration = _read_calibration(path / CALIBRATION_FILE, hashes[WEIGHTS_FILE])
    return Checkpoint(
        directory=path, config=config_from_dict(_read_json(path / CONFIG_FILE)),
        calibration=calibration,
        model_id=f'{path.name}-{hashes[WEIGHTS_FILE][:12]}', sha256=hashes)


def write_manifest(path: Path) -> None:
    """Hash every file of a checkpoint directory into its manifest, atomically."""
    hashes = {item.name: file_sha256(item) for item in sorted(path.iterdir())
              if item.is_file() and item.name not in (MANIFEST_FILE, MODEL_CARD_FILE)
              and not item.name.startswith('.')}
    write_json(path / MANIFEST_FILE, {'graphs': GRAPHS_VERSION, 'sha256': hashes})


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name and rename it into place."""
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with scratch.open('w', encoding='utf-8') as handle:
            json.dump(content, handle, indent=2)
            handle.write('\n')
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_calibration(path: Path, weights_sha256: str) -> Calibration:
    try:
        calibration = calibration_from_dict(_read_json(path))
    except CalibrationError as error:
        raise CheckpointError(f'{path}: {error}') from error
    if calibration.weights_sha256 != weights_sha256:
        raise CheckpointError(f'{path} belongs to other weights; calibrate this checkpoint again '
                              "with 'wm-ros calibrate'")
    return calibration


def _read_hashes(path: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the manifest's hashes; a name is that of a file in this very directory."""
    hashes = manifest.get('sha256', {})
    if not isinstance(hashes, dict):
        raise CheckpointError(f'{path / MANIFEST_FILE}: sha256 is a {type(hashes).__name__}, '
                              'expected an object of file names')
    for name, digest in hashes.items():
        if not _PLAIN_NAME.fullmatch(name):
            raise CheckpointError(
                f'{path / MANIFEST_FILE} names {name!r}; expected the plain name of a file beside '
                "it; do not use this checkpoint, or export it again with 'wm-ros export'")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise CheckpointError(f'{path / MANIFEST_FILE}: the hash of {name} is {digest!r}, '
                                  'expected 64 hexadecimal digits')
    return hashes


def _verify(path: Path, digest: str) -> None:
    # Links are followed first: an overlay of links to another directory is whole, but one file
    # that leads elsewhere is not part of the checkpoint.
    home = path.with_name(MANIFEST_FILE).resolve().parent
    target = path.resolve()
    if target.parent != home:
        raise CheckpointError(f'{path} is a link to {target}, outside {home}; copy the file into '
                              'the checkpoint, or do not use it')
    if not path.is_file():
        raise CheckpointError(f'{path} is missing; the manifest names it, so restore it or '
                              "export the checkpoint again with 'wm-ros export'")
    found = file_sha256(path)
    if found != digest:
        raise CheckpointError(f'{path} was altered: SHA-256 {found[:16]}..., the manifest says '
                              f'{digest[:16]}...; restore the file')


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise CheckpointError(f'{path} is missing: not a whole checkpoint') from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f'{path} cannot be read: {error}') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} holds a {type(content).__name__}, expected an object')
    return content
