# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Export a model's graphs to ONNX at opset 20, the newest that TensorRT 10.1 to 10.3 reads."""

import os
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from wm_ros.inference.checkpoint import GEOMETRY_FILES, GRAPH_FILES, SAMPLER_FILES
from wm_ros.inference.graphs import make_graphs, sample_inputs
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.model import WorldModel

OPSET = 20
_OUTPUTS = {'encode': ('tokens', 'detail', 'last', 'camera', 'tables'),
            'predict': ('hazard_logits', 'joints', 'latents', 'condition', 'joint_error'),
            'decode': ('frame',), 'shade': ('shade',), 'flow': ('velocity',),
            'without_action': ('latents_without',)}


def export_graphs(model: WorldModel, directory: Path) -> None:
    """Write each graph as an ONNX file with a free batch size and number of steps."""
    model.eval()
    samples = sample_inputs(model.config)
    files = {**GRAPH_FILES, **GEOMETRY_FILES, **SAMPLER_FILES}
    for name, graph in make_graphs(model).items():
        _export(graph, samples[name], output_names(name, model.config), directory / files[name])


def output_names(name: str, config: ModelConfig) -> tuple[str, ...]:
    """Return the names of a graph's outputs, in their order."""
    names = _OUTPUTS[name]
    return names[:-1] if name == 'encode' and config.geometry is None else names


def _export(graph: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...], path: Path
            ) -> None:
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    axes = {name: {0: 'batch'} for name in (*inputs, *outputs)}
    if 'actions' in inputs:
        # Several chunks may share an observation.
        for name in {'tokens', 'camera', 'tables'} & set(inputs):
            axes[name][0] = 'observations'
        # No step depends on a later one, so that a chunk may be looked at for fewer steps.
        for name in ('actions', *outputs):
            axes[name][1] = 'steps'
    try:
        with warnings.catch_warnings():
            # The tracing exporter is deprecated in favour of one that needs two more packages.
            warnings.simplefilter('ignore')
            torch.onnx.export(
                graph, tuple(inputs.values()), str(scratch), opset_version=OPSET, dynamo=False,
                input_names=list(inputs), output_names=list(outputs), dynamic_axes=axes)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
