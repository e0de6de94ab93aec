# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose thresholds on held-out episodes, or check on others what they promise."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from wm_ros.errors import CalibrationError
from wm_ros.verbs.evaluate import held_out_episodes
from wm_ros.verbs.shared import (
    SPLITS,
    add_model_options,
    add_verb,
    add_workers_option,
    check_writable,
    console,
    natural,
    positive,
    positive_float,
    progress_bar,
    stages,
)

if TYPE_CHECKING:
    from wm_ros.calibration.fresh import Fresh
    from wm_ros.calibration.thresholds import Calibration
    from wm_ros.training.calibrating import Check

_CONFIDENCE = 0.95
_CHECK_EPISODES = 300


def calibrate(arguments: argparse.Namespace) -> None:
    """Choose thresholds on held-out episodes, or with --check test what they promise."""
    from wm_ros.inference.checkpoint import resolve_checkpoint
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    check_writable(arguments.json)
    if arguments.check:
        _check(arguments, checkpoint)
    elif arguments.data is None:
        raise ValueError('--data is missing: thresholds are chosen on a directory of episodes '
                         'that neither training nor --check has seen')
    else:
        _choose(arguments, checkpoint)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, calibrate)
    add_model_options(parser)
    parser.add_argument('--data', type=Path, help='held-out episodes; --check collects its own '
                        'without it')
    parser.add_argument('--episodes', type=positive, help='use so many (default: all of --data, '
                        f'or {_CHECK_EPISODES} collected)')
    parser.add_argument('--confidence', type=float, help='of Learn-then-Test and of the bounds '
                        f'(default: {_CONFIDENCE}); given, too few hazards for it are an error')
    parser.add_argument('--json', type=Path, help='write the result there as well')
    chosen = parser.add_argument_group('choosing thresholds')
    chosen.add_argument('--alpha-miss', type=float, default=0.05,
                        help='share of hazards that may pass as OK (default: %(default)s)')
    chosen.add_argument('--alpha-veto', type=float, default=0.05,
                        help='share of safe commands that may be vetoed (default: %(default)s)')
    chosen.add_argument('--alpha-abstain', type=float, default=0.01,
                        help='share of OK commands that may be doubted because the ensemble '
                        'disagrees (default: %(default)s)')
    chosen.add_argument('--method', choices=('conformal', 'learn_then_test'), default='conformal',
                        help='thresholds whose promise holds on average over calibrations, or '
                        'for this one with --confidence (default: %(default)s)')
    checked = parser.add_argument_group('checking promises')
    checked.add_argument('--check', action='store_true', help='measure promises; write nothing '
                         'into the checkpoint')
    checked.add_argument('--alphas', type=float, nargs='+', default=[0.1, 0.05, 0.01],
                         help='promises to test (default: 0.1 0.05 0.01)')
    checked.add_argument('--repeats', type=positive, default=2000,
                         help='random splits, at least 200 (default: %(default)s)')
    checked.add_argument('--stop-s', type=positive_float, default=0.2,
                         help='a warning that leaves less time is late (default: %(default)s)')
    checked.add_argument('--split', choices=SPLITS,
                         default='id')
    checked.add_argument('--seed', type=natural, default=1001, help='of the collected episodes '
                         'and of the splits (default: %(default)s)')
    add_workers_option(parser)


def _choose(arguments: argparse.Namespace, checkpoint: Path) -> None:
    from wm_ros.calibration.thresholds import Promise, calibration_to_dict
    from wm_ros.inference.checkpoint import write_json
    from wm_ros.training.calibrating import calibrate_checkpoint
    promise = Promise(
        alpha_miss=arguments.alpha_miss, alpha_veto=arguments.alpha_veto,
        confidence=_confidence(arguments), must_be_proven=arguments.confidence is not None,
        method=arguments.method, alpha_abstain=arguments.alpha_abstain)
    paths = held_out_episodes(arguments, num_collected=_CHECK_EPISODES)
    with progress_bar() as progress:
        result = calibrate_checkpoint(
            checkpoint, paths, promise, engine=arguments.engine,
            num_threads=arguments.threads, on_progress=stages(progress))
    table = Table('figure', 'value', title='calibration')
    for item in fields(result):
        value = getattr(result, item.name)
        if item.name in ('shorter', 'episodes'):
            continue
        table.add_row(item.name, f'{value:.4f}' if isinstance(value, float) else str(value))
    console.print(table)
    for line in _statements(result):
        console.print(line)
    if arguments.json:
        write_json(arguments.json, calibration_to_dict(result))
    _write_self_trust(arguments, checkpoint, paths, result.data_sha256)


def _write_self_trust(arguments: argparse.Namespace, checkpoint: Path, paths: list[Path],
                      data_sha256: str) -> None:
    """Store what the running predictor needs to distrust itself; too few episodes are no error."""
    from wm_ros.training.self_trust import write_self_trust
    with progress_bar() as progress:
        report = stages(progress)
        try:
            found = write_self_trust(
                checkpoint, paths, data_sha256=data_sha256, engine=arguments.engine,
                num_threads=arguments.threads,
                on_progress=lambda done: report('self-trust', done, len(paths)))
        except CalibrationError as error:
            console.print(f'No drift monitor: {error}.')
            return
    console.print(f'Drift reference: {len(found.novelty_scores)} episodes by their pictures, '
                  f'{len(found.error_scores)} by predictions of step {found.step + 1}.')


def _statements(result: 'Calibration') -> list[str]:
    """Say in words what holds, and for what there were too few episodes."""
    from wm_ros.calibration.binomial import needed_trials
    assert result.confidence is not None
    assert result.miss_bound is not None
    assert result.veto_bound is not None
    sure = f'With confidence {result.confidence:g}'
    lines = [f'{sure} at most {result.miss_bound:.2%} of hazards pass as OK at the thresholds in '
             f'use, and with the same at most {result.veto_bound:.2%} of safe commands are '
             'vetoed.']
    if result.ltt_lower is None:
        needed = needed_trials(result.alpha_miss, result.confidence)
        lines.append(
            f'Not proven: a miss rate of {result.alpha_miss:g} with that confidence takes '
            f'{needed} hazards; collect {needed - result.num_hazards} more.')
    else:
        lines.append(f'{sure} at most {result.alpha_miss:.2%} of hazards are below a risk of '
                     f'{result.ltt_lower:.4f} (Learn-then-Test).')
    if result.ltt_both_lower is None:
        each = (1 + result.confidence) / 2
        more = max(needed_trials(result.alpha_miss, each) - result.num_hazards,
                   needed_trials(result.alpha_veto, each) - result.num_safe, 0)
        lines.append('Not proven: both promises together'
                     + (f'; collect {more} more episodes.' if more else '.'))
    elif result.ltt_both_lower > (result.ltt_both_upper or 0.0):
        lines.append(f'{sure} both promises hold together at any single threshold from '
                     f'{result.ltt_both_upper:.4f} to {result.ltt_both_lower:.4f}.')
    else:
        lines.append(f'{sure} both promises hold together with OK below '
                     f'{result.ltt_both_lower:.4f} and VETO from {result.ltt_both_upper:.4f}.')
    return [*lines, _uncertainty_statement(result), _shorter_statement(result)]


def _shorter_statement(result: 'Calibration') -> str:
    """Say for how few steps a chunk may be looked at when time is short."""
    found = [f'{steps}: {pair.lower:.4f} to {pair.upper:.4f}'
             for steps, pair in enumerate(result.shorter, 1) if pair]
    if not found:
        return 'Too few hazards come early: there are thresholds for the whole horizon only.'
    return ('Thresholds where time is short and only the first steps are looked at, with the '
            f"same promises: {', '.join(found)}.")


def _uncertainty_statement(result: 'Calibration') -> str:
    """Say whether the uncertainty earned it to make the gate abstain."""
    if result.uncertainty_limit is not None:
        return (f'The spread of the ensemble ranks the error (AUSE {result.uncertainty_ause:.3f}, '
                f'chance {result.uncertainty_ause_chance:.3f}): above '
                f'{result.uncertainty_limit:.4f} the gate abstains, which is at most '
                f'{result.alpha_abstain:.2%} of what else would be OK.')
    if result.uncertainty_ause is None:
        return 'Nothing is known of the uncertainty: ABSTAIN follows the risk alone.'
    return ('No limit on the uncertainty: the spread of the ensemble does not rank the error, or '
            'there are too few commands; ABSTAIN follows the risk alone.')


def _check(arguments: argparse.Namespace, checkpoint: Path) -> None:
    from wm_ros.inference.checkpoint import write_json
    from wm_ros.training.calibrating import check_checkpoint
    _check_options(arguments)
    with progress_bar() as progress:
        found = check_checkpoint(
            checkpoint, held_out_episodes(arguments, num_collected=_CHECK_EPISODES),
            arguments.alphas,
            repeats=arguments.repeats, seed=arguments.seed, confidence=_confidence(arguments),
            stop_s=arguments.stop_s, engine=arguments.engine, num_threads=arguments.threads,
            on_progress=stages(progress))
    _print_rows(found, _confidence(arguments))
    if found.fresh is not None:
        _print_fresh(found.fresh, found)
    if arguments.json:
        write_json(arguments.json, check_rows(found))
    broken = [*found.refusals, *_broken(found)]
    if broken:
        raise CalibrationError('; '.join(broken))


def _check_options(arguments: argparse.Namespace) -> None:
    """Refuse what would be refused after minutes of scoring."""
    from wm_ros.calibration.conformal import check_level
    from wm_ros.calibration.coverage import MIN_REPEATS
    if arguments.repeats < MIN_REPEATS:
        raise ValueError(f'--repeats {arguments.repeats} must be at least {MIN_REPEATS}')
    check_level('--confidence', _confidence(arguments))
    for alpha in arguments.alphas:
        check_level('--alphas', alpha)


def check_rows(found: 'Check') -> list[dict[str, Any]]:
    """
    Return the JSON form: one object for each alpha.

    What the thresholds in use did is in ``stored`` of the row whose alpha they promise.
    """
    stored = found.calibration
    rows = []
    for row in found.rows:
        is_theirs = stored is not None and stored.alpha_miss == row.alpha and found.is_fresh
        rows.append({**row.to_dict(), 'stored': found.fresh.to_dict()
                     if found.fresh is not None and is_theirs else None})
    return rows


def _broken(found: 'Check') -> list[str]:
    texts = [f'alpha = {row.alpha:g}: the mean miss rate over splits is {row.miss_mean:.4f}, '
             'more than chance explains' for row in found.rows if not row.promise_kept]
    if found.fresh is not None and found.is_fresh:
        for name, rate in (('misses', found.fresh.miss), ('false vetoes', found.fresh.false_veto)):
            if not rate.is_kept:
                texts.append(f'{rate.errors} {name} in {rate.number} with the thresholds in use, '
                             f'at most {rate.limit} are explained by chance: the calibration '
                             'does not cover these scenes; calibrate on recordings of them')
    return texts


def _print_rows(found: 'Check', confidence: float) -> None:
    table = Table(title='coverage over random splits of these episodes')
    table.add_column('figure')
    for row in found.rows:
        table.add_column(f'{100 * row.alpha:g} % promised', justify='right')
    for title, values in _figures(found, confidence):
        table.add_row(title, *values)
    console.print(table)
    if found.rows:
        row = found.rows[0]
        console.print(
            f'{row.repeats} splits of {row.hazards} episodes with a hazard and {row.safe} with a '
            'safe command, over episodes. The intervals are those of so many distinct episodes; '
            'repeats do not narrow them. Mid-motion has no promise: thresholds are chosen on '
            'commands that start from rest.')


def _figures(found: 'Check', confidence: float) -> list[tuple[str, list[str]]]:
    rows = found.rows
    lines = [
        ('measured miss rate', [_share(row.miss_mean) for row in rows]),
        ('  its 95 % interval', [_range(row.miss_ci95) for row in rows]),
        ('  promise kept', ['yes' if row.promise_kept else 'NO' for row in rows]),
        ('  of the lower threshold alone', [_share(row.threshold_miss_mean) for row in rows]),
        ('  expected of it, exactly', [_share(row.expected_miss) for row in rows]),
        ('false vetoes', [_share(row.false_veto_mean) for row in rows]),
        ('  its 95 % interval', [_range(row.false_veto_ci95) for row in rows]),
        ('abstained', [_share(row.abstain_mean) for row in rows]),
        ('missed in mid-motion (no promise)', [_share(row.moving_miss_mean) for row in rows]),
        ('  its 95 % interval', [_range(row.moving_miss_ci95) for row in rows]),
        ('late warnings, risk control', [_share(row.late_mean) for row in rows]),
        ('late warnings, these thresholds', [_share(row.late_at_lower_mean) for row in rows]),
        ('calibrations worse than promised', [_share(row.over_alpha) for row in rows]),
        (f'  Learn-then-Test, at most {100 * (1 - confidence):g} %',
         [_share(row.proven_over_alpha) for row in rows]),
    ]
    kinds = sorted({kind for row in rows for kind in row.miss_by_kind})
    lines += [(f'missed, kind {kind}', [_share(row.miss_by_kind.get(kind)) for row in rows])
              for kind in kinds]
    return lines


def _print_fresh(fresh: 'Fresh', found: 'Check') -> None:
    title = 'the thresholds in use on these episodes' + (
        '' if found.is_fresh else f': NO TEST: {found.num_seen} of these {found.num_episodes} '
        'episodes are among those that they were chosen on')
    table = Table('figure', 'measured', '95 % interval', 'promised', 'allowed by chance', 'kept',
                  title=title)
    rates = {'hazards missed': fresh.miss, 'false vetoes': fresh.false_veto,
             'abstained': fresh.abstain, 'missed in mid-motion': fresh.moving_miss,
             'false vetoes in mid-motion': fresh.moving_false_veto, 'late warnings': fresh.late}
    rates |= {f'missed, kind {kind}': rate for kind, rate in fresh.miss_by_kind.items()}
    for steps, (miss, false_veto) in fresh.shorter.items():
        rates |= {f'missed within {steps} steps': miss,
                  f'false vetoes, {steps} steps': false_veto}
    for name, rate in rates.items():
        promised = rate.promise is not None and found.is_fresh
        table.add_row(
            name, f'{rate.errors} of {rate.number}', _range(rate.ci95),
            _share(rate.promise) if promised else '', str(rate.limit) if promised else '',
            ('yes' if rate.is_kept else 'NO') if promised else '')
    console.print(table)


def _confidence(arguments: argparse.Namespace) -> float:
    return _CONFIDENCE if arguments.confidence is None else float(arguments.confidence)


def _share(value: float | None) -> str:
    return 'too few' if value is None else f'{value:.2%}'


def _range(ends: tuple[float, float] | None) -> str:
    return '' if ends is None else f'{ends[0]:.1%} to {ends[1]:.1%}'
