# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lay an evaluation's figures out as tables, the same ones for the terminal and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_ros.training.hazard_scoring import hazard_step

_WHO = (('', 'world model'), ('_copy', 'newest frame'), ('_linear', 'linear motion'))


@dataclass(frozen=True, slots=True)
class TextTable:
    """
    A table of text.

    :param title: what it shows.
    :param columns: their headings.
    :param rows: as many cells each as there are columns.
    :param note: what a reader must know to read it; may be ''.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ''


def evaluation_tables(values: Mapping[str, Any], *, all_steps: bool = True) -> list[TextTable]:
    """
    Return the tables of an evaluation.

    :param values: its JSON form.
    :param all_steps: show every step, or the few that goals are stated for.
    """
    tables = [hazard_table(values), step_table(values, all_steps=all_steps), kind_table(values),
              sensitivity_table(values), uncertainty_table(values), sampler_table(values),
              joint_table(values)]
    return [table for table in tables if table.rows]


def number(value: float | None, digits: int = 3, *, share: bool = False) -> str:
    """Return a figure as text, a share as percent; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return '-'
    return f'{100 * value:.1f} %' if share else f'{value:.{digits}f}'


def interval(values: Mapping[str, Any], name: str, digits: int = 3, *, share: bool = False
             ) -> str:
    """Return the 95 % interval of a figure as text, '' where there is none."""
    ends = values['ci95'].get(name)
    if ends is None or any(end is None for end in ends):
        return ''
    low, high = (number(end, digits, share=share) for end in ends)
    return f'{low.removesuffix(" %")}–{high}'


def hazard_table(values: Mapping[str, Any]) -> TextTable:
    """Return the hazard figures beside those of the classifier without a camera."""
    rows = []
    for name, label, share in (
            ('auroc', 'AUROC', False), ('auroc_command', 'AUROC, commands from rest', False),
            ('average_precision', 'average precision', False),
            *((f'false_veto_at_{recall}_recall', f'false vetoes at {recall} % recall', True)
              for recall in (90, 95, 99)),
            ('premature_veto_share', 'of those at 95 %, before a later hazard', True),
            ('ece', 'calibration error (ECE)', False), ('brier', 'Brier score', False),
            ('warning_median_s', 'median warning, s', False),
            ('warned_share', 'hazards warned of at all', True),
            ('warned_early_share', 'hazards warned of 0.4 s before', True)):
        other = f'{name}_kinematic'
        rows.append((label, number(values[name], share=share),
                     interval(values, name, share=share),
                     number(values[other], share=share) if other in values else '',
                     interval(values, other, share=share)))
    note = (f'{values["windows"]} windows of {values["episodes"]} episodes that start without '
            f'contact, {number(values["hazard_share"], share=True)} of them with a hazard within '
            '0.8 s. The newest frame repeated foresees no hazard: its AUROC is 0.5. '
            + values['notes'].get('auroc_kinematic', ''))
    return TextTable('Hazards', ('figure', 'world model', '95 % interval', 'no camera',
                                 '95 % interval'), rows, note)


def step_table(values: Mapping[str, Any], *, all_steps: bool) -> TextTable:
    """Return the figures that there are for each step, one a row."""
    count, step_s = len(values['psnr']), values['step_s']
    shown = (range(count) if all_steps else sorted(
        {min(max(round(time / step_s), 1), count) - 1 for time in (0.1, 0.4, 0.8)} | {count - 1}))
    rows = []
    for name, label, digits in (
            ('psnr', 'PSNR, dB', 1), ('psnr_moving', 'PSNR where it moves, dB', 1),
            ('ssim', 'SSIM', 3), ('lpips', 'LPIPS', 3)):
        if values[name] is None:
            note = values['notes'].get(name, '-')
            rows.append((f'{label}: {note}', *('' for _ in shown)))
            continue
        for suffix, who in _WHO:
            rows.append((f'{label}: {who}', *(
                number(values[name + suffix][step], digits) for step in shown)))
    for suffix, who in (('', 'world model'), ('_command', 'command')):
        rows.append((f'joint error, deg: {who}', *(
            number(values[f'joint_error_deg{suffix}'][step], 2) for step in shown)))
    return TextTable('Each step', ('figure', *(f'{(step + 1) * step_s:.1f} s' for step in shown)),
                     rows, f'Frames of {values["frame_windows"]} windows.')


def kind_table(values: Mapping[str, Any]) -> TextTable:
    """Return the hazard figures of each kind of hazard."""
    rows = [(name, str(figures['hazards']), number(figures['auroc']),
             interval(values, f'by_kind.{name}.auroc'), number(figures['average_precision']),
             number(figures['false_veto_at_95_recall'], share=True),
             number(figures['recall_at_95_recall'], share=True))
            for name, figures in values['by_kind'].items()]
    return TextTable('By kind of hazard', (
        'kind', 'windows', 'AUROC', '95 % interval', 'AP', 'false vetoes', 'caught'), rows,
        'Against all safe windows. AP: average precision. False vetoes at 95 % recall of the '
        'kind. Caught: by the threshold that catches 95 % of all hazards.')


def sensitivity_table(values: Mapping[str, Any]) -> TextTable:
    """Return what happens to hazards and frames when the action is not the one that ran."""
    found = values['sensitivity']
    rows = []
    for name, label in (('true', 'as it ran'), ('zero', 'hold the position'),
                        ('shuffled', 'of another window'), ('flipped', 'reflected')):
        each = found[name]
        rows.append((label, number(each['auroc']), number(each.get('auroc_drop')),
                     interval(values, f'sensitivity.{name}.auroc_drop'), number(each['psnr'], 1),
                     number(each.get('psnr_drop'), 1), _levels(each.get('pixel_change')), ''))
    for name, each in found['joints'].items():
        rows.append((f'{name} alone', number(each['auroc']), '', '', '', '',
                     _levels(each['pixel_change']), number(each['risk_change'])))
    note = (f'{found["windows"]} windows, {found["joint_windows"]} for each joint alone, '
            f'{found["frame_windows"]} with frames (last step, dB). Pixels: mean change of 255 '
            'levels against the true action; where one joint moves alone, pixels and risk '
            'against all joints held.')
    return TextTable('Other actions than the one that ran', (
        'action', 'AUROC', 'drop', '95 % interval', 'PSNR', 'drop', 'pixels', 'risk'), rows,
        note)


def _levels(change: float | None) -> str:
    return number(None if change is None else 255 * change, 2)


def uncertainty_table(values: Mapping[str, Any]) -> TextTable:
    """Return how well each candidate ranks the error of hazards and frames."""
    found = values['uncertainty']
    rows = []
    for error in ('hazard', 'frame'):
        for name, label in (('ensemble', 'ensemble'), ('samples', 'sampled futures'),
                            ('samples_minus_ensemble', 'second minus first'),
                            ('coin', 'coin with that risk'), ('chance', 'chance')):
            if name in found:
                each = found[name][error]
                rows.append((f'{error}: {label}', number(each.get('spearman')),
                             number(each['ause']),
                             interval(values, f'uncertainty.{name}.{error}.ause')))
    return TextTable(
        'Does the uncertainty rank the error?',
        ('error: uncertainty', 'Spearman', 'AUSE', '95 % interval'), rows,
        f'{found["windows"]} windows, the same for all; smaller AUSE is better. ABSTAIN is earned '
        f'by: {values["uncertainty_earned_by"]}. On all windows, hazard: ensemble Spearman '
        f'{number(values["uncertainty_spearman"])}, AUSE {number(values["uncertainty_ause"])}; '
        f'coin {number(values["uncertainty_spearman_coin"])}, '
        f'{number(values["uncertainty_ause_coin"])}; '
        f'chance AUSE {number(values["uncertainty_ause_chance"])}.')


def sampler_table(values: Mapping[str, Any]) -> TextTable:
    """Return sharpness and the best of several futures."""
    rows = [(label, number(values[name]), interval(values, name)) for name, label in (
        ('gradient_energy_ratio', 'gradient energy, sampled / real'),
        ('gradient_energy_ratio_mean', 'gradient energy, mean frame / real'))]
    step = hazard_step(values['step_s'], len(values['psnr']))
    for name, label in (('psnr_best_of_8', 'PSNR of the best of 8 futures, dB'),
                        ('psnr_mean_frame', 'PSNR of the mean frame, dB'),
                        ('sampler.psnr_best_of_8_gain', 'the first minus the second, dB')):
        found = values['sampler'] if '.' in name else values
        each, ends = found.get(name.removeprefix('sampler.')), values['ci95'].get(name)
        if each is not None and ends is not None:
            at_step = {'ci95': {name: [end[step] for end in ends]}}
            rows.append((label, number(each[step], 2), interval(at_step, name, 2)))
    note = values['notes'].get('gradient_energy_ratio', '')
    return TextTable('Sampled futures', ('figure', 'value', '95 % interval'), rows,
                     f'{values["sampler"]["windows"]} windows, at 0.8 s, guidance '
                     f'{values["sampler"]["guidance"]:g}. {note}')


def joint_table(values: Mapping[str, Any]) -> TextTable:
    """Return the error of each joint."""
    return TextTable('Each joint', ('joint', 'error at 0.8 s, degrees'), [
        (name, number(value, 2)) for name, value in values['joint_error_deg_by_joint'].items()])
