# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Export a model's graphs to ONNX at opset 20, the newest that TensorRT 10.1 to 10.3 reads."""

import os
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from wm_ros.inference.checkpoint import GRAPH_FILES
from wm_ros.inference.graphs import DecodeGraph, EncodeGraph, PredictGraph
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.model import WorldModel
from wm_ros.world_model.pose_map import HEIGHTS_M, NUM_CHANNELS

OPSET = 20
_OUTPUTS = {'encode': ('tokens', 'detail', 'last', 'obstacles'),
            'predict': ('hazard_logits', 'joints', 'latents', 'maps'), 'decode': ('frame',)}


def export_graphs(model: WorldModel, directory: Path) -> None:
    """Write encode.onnx, predict.onnx and decode.onnx, each with a free batch size."""
    model.eval()
    samples = sample_inputs(model.config)
    graphs: dict[str, nn.Module] = {
        'encode': EncodeGraph(model), 'predict': PredictGraph(model), 'decode': DecodeGraph(model)}
    for name, graph in graphs.items():
        _export(graph, samples[name], _OUTPUTS[name], directory / GRAPH_FILES[name])


def sample_inputs(config: ModelConfig, batch: int = 2) -> dict[str, dict[str, Tensor]]:
    """Return random inputs of each graph by name, of the right shapes."""
    rng = torch.Generator().manual_seed(0)
    rows, columns = config.grid
    height, width = config.image_height, config.image_width

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=rng)

    images = torch.randint(0, 256, (batch, config.context_len, height, width, 3), generator=rng)
    return {
        'encode': {'images': images.to(torch.uint8)},
        'predict': {
            'tokens': normal(rows * columns, config.dim),
            'obstacles': normal(len(HEIGHTS_M), *config.detail_grid),
            'positions': normal(config.num_joints),
            'velocities': normal(config.num_joints),
            'actions': normal(config.horizon, config.num_joints)},
        'decode': {
            'latents': normal(rows * columns, config.dim),
            'maps': normal(NUM_CHANNELS, *config.detail_grid).sigmoid(),
            'detail': normal(config.stem_dim, *config.detail_grid),
            'last': normal(3, height, width).sigmoid()}}


def _export(graph: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...], path: Path
            ) -> None:
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    axes = {name: {0: 'batch'} for name in (*inputs, *outputs)}
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
