# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The graphs that a model is exported as, pixels in and pixels out.

The encoder runs once for one observation, the prediction once for each candidate chunk, the
decoder and the sampler only when somebody looks. Byte images go in and come out, so that every
engine scales pixels in the same way.
"""

import torch
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.decoder import SurfaceInput
from wm_ros.world_model.encoder import Context
from wm_ros.world_model.hazard import Tables, table_shape
from wm_ros.world_model.model import WorldModel
from wm_ros.world_model.surface import NUM_MAPS


class EncodeGraph(nn.Module):
    """Frames to context."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """
        Encode frames.

        :param images: RGB uint8 (V, T, h, w, 3), oldest first.
        :returns: tokens, detail, last frame and camera, see ``encoder.Context``; and where the
            arm's geometry is known what its points look up, see ``hazard.Tables``.
        """
        # Not as bytes: TensorRT does not transpose those.
        seen = self.model.encoder.see(images.float().permute(0, 1, 4, 2, 3) / 255)
        reach = self.model.reach
        return seen if reach is None else (*seen, reach.field.tables(seen[1]))


class ShadeGraph(nn.Module):
    """Where the arm's shadow is seen, for frames; no command is judged by it."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, detail: Tensor, last: Tensor) -> Tensor:
        """Return shade, see ``encoder.Context``."""
        return self.model.encoder.see_shade(detail, last)


class PredictGraph(nn.Module):
    """Observations and chunks to consequences; several chunks may share an observation."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, camera: Tensor, which: Tensor, positions: Tensor,
                velocities: Tensor, actions: Tensor, tables: Tensor | None = None
                ) -> tuple[Tensor, ...]:
        """
        Predict.

        :param tokens: of V observations, and so ``camera`` and ``tables``.
        :param which: the observation of each of the B chunks, int64 (B,).
        :returns: hazard logits, joints, latents, conditions and spread, see ``Consequence``.
        """
        seen, camera = tokens[which], camera[which]
        # Hazards need neither the frame itself nor its shadows.
        context = Context(seen, seen, seen, camera, camera)
        shared = None if tables is None else Tables(tables, which)
        return tuple(self.model.predict(context, positions, velocities, actions, shared)[:5])


class DecodeGraph(nn.Module):
    """Latents and a residual to a frame; a model without a sampler takes no residual."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor, condition: Tensor, detail: Tensor, last: Tensor,
                residual: Tensor | None = None) -> Tensor:
        """
        Decode frames where the arm's geometry is not known.

        :param latents: float32 (B, N, D).
        :param condition: float32 (B, D).
        :param residual: float32 (B, N, R); zeros for the mean frame.
        :returns: RGB uint8 (B, h, w, 3).
        """
        return self._compose(latents, condition, None, detail, last, residual)

    def _compose(self, latents: Tensor, condition: Tensor, surface: SurfaceInput | None,
                 detail: Tensor, last: Tensor, residual: Tensor | None) -> Tensor:
        context = Context(latents, detail, last, latents, latents)
        frame = self.model.compose(latents, condition, surface, context, residual)
        return (frame.permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8)


class DecodeSurfaceGraph(DecodeGraph):
    """Latents, the arm drawn for them and a residual to a frame."""

    def forward(self, latents: Tensor, detail: Tensor, last: Tensor,  # type: ignore[override]
                point: Tensor, maps: Tensor, moved: Tensor, residual: Tensor | None = None
                ) -> Tensor:
        """
        Decode frames.

        :param latents: float32 (B, N, D).
        :param point: see ``decoder.SurfaceInput``, and so ``maps`` and ``moved``.
        :param residual: float32 (B, N, R); zeros for the mean frame.
        :returns: RGB uint8 (B, h, w, 3).
        """
        return self._compose(latents, latents, SurfaceInput(point, maps, moved), detail, last,
                             residual)


class FlowGraph(nn.Module):
    """One evaluation of the sampler's velocity."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, noisy: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """Return velocities (B, N, R), see ``flow.Flow``."""
        return self.model.flow(noisy, time, latents)


class WithoutActionGraph(nn.Module):
    """Context to latents that know of no action, for guidance."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        """Return latents (B, H, N, D)."""
        return self.model.without_action(Context(*[tokens] * len(Context._fields)))


def make_graphs(model: WorldModel) -> dict[str, nn.Module]:
    """Return the graphs of a model by name."""
    decode = DecodeGraph if model.surface is None else DecodeSurfaceGraph
    graphs: dict[str, nn.Module] = {
        'encode': EncodeGraph(model), 'predict': PredictGraph(model), 'decode': decode(model)}
    if model.surface is not None:
        graphs['shade'] = ShadeGraph(model)
    if model.config.residual_dim:
        graphs |= {'flow': FlowGraph(model), 'without_action': WithoutActionGraph(model)}
    return graphs


def sample_inputs(config: ModelConfig, batch: int = 2) -> dict[str, dict[str, Tensor]]:
    """Return random inputs of each graph by name, of the right shapes."""
    rng = torch.Generator().manual_seed(0)
    num_tokens = config.grid[0] * config.grid[1]
    height, width = config.picture_height, config.image_width

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=rng)

    images = torch.randint(0, 256, (batch, config.context_len, height, width, 3), generator=rng)
    detail, camera = normal(config.detail_dim, *config.detail_grid), 0.01 * normal(6)
    inputs = {
        'encode': {'images': images.to(torch.uint8)},
        'predict': {
            'tokens': normal(num_tokens, config.dim), 'camera': camera,
            'which': torch.arange(batch), 'positions': normal(config.num_joints),
            'velocities': normal(config.num_joints),
            'actions': normal(config.horizon, config.num_joints)},
        'decode': {
            'latents': normal(num_tokens, config.dim), 'condition': normal(config.dim),
            'detail': detail, 'last': normal(3, height, width).sigmoid()}}
    if config.geometry is not None:
        num_points = len(config.geometry.surface_points)
        del inputs['decode']['condition']
        inputs['predict']['tables'] = normal(*table_shape(config))
        inputs['shade'] = {name: inputs['decode'][name] for name in ('detail', 'last')}
        inputs['decode'] |= {
            'point': torch.randint(num_points + 1, (batch, height, width), generator=rng,
                                   dtype=torch.int32),
            'maps': normal(NUM_MAPS, height, width).sigmoid(),
            'moved': normal(3, height, width).sigmoid()}
    if config.residual_dim:
        residual = normal(num_tokens, config.residual_dim)
        inputs['decode']['residual'] = residual
        inputs['flow'] = {'noisy': residual, 'time': torch.rand(batch, generator=rng),
                          'latents': normal(num_tokens, config.dim)}
        inputs['without_action'] = {'tokens': normal(num_tokens, config.dim)}
    return inputs
