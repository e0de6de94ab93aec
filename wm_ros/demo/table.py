# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show the demo's figures to people."""

from rich.table import Table

from wm_ros.demo.result import DemoResult


def make_table(result: DemoResult) -> Table:
    """Make the table that the demo prints at its end."""
    title = 'What the gate did' if result.mode == 'enforce' else (
        'What the gate would have done (shadow: everything was forwarded)')
    table = Table(title=f'{title}, seed {result.seed}', title_justify='left')
    table.add_column('figure', no_wrap=True)
    table.add_column('value', justify='right', no_wrap=True)
    table.add_column('meaning', style='dim', overflow='fold')
    for name, value, meaning in _rows(result):
        table.add_row(name, value, meaning)
    return table


def _rows(r: DemoResult) -> list[tuple[str, str, str]]:
    return [
        ('episodes', str(r.episodes), 'scenes, each played without and with the gate'),
        ('commands', str(r.commands),
         f'sent through the gate; {r.hazardous_commands} of them would end in a collision'),
        ('collisions, ungated', str(r.collisions_ungated), 'a collision ends the episode'),
        ('collisions, gated', str(r.collisions_gated),
         f'{r.missed} hazardous commands were released'),
        ('collisions prevented', _number(r.prevented_pct, '%'), ''),
        ('vetoes', str(r.vetoes), 'commands that were refused: ' + (
            ', '.join(f'{count} {cause}' for cause, count in r.refused_by.items()) or 'none')),
        ('false vetoes', _number(r.false_veto_pct, '%'),
         f'{r.false_vetoes} refused of {r.harmless_commands} commands that the simulator, run on '
         f'a copy, shows to be harmless; {_number(r.veto_precision_pct, "%")} of the vetoes were '
         'right'),
        ('warning time, median', _number(r.warning_median_s, 's'),
         'from a right veto to the collision it prevented'),
        ('release p50 / p99 / max', ' / '.join(
            _number(value, '') for value in (r.release_p50_ms, r.release_p99_ms,
                                             r.release_max_ms)) + ' ms',
         'command to release on the wire, measured by an independent observer'),
        ('deadline misses', str(r.deadline_misses), 'verdicts that came too late; each is a hold'),
        ('unverified releases', str(r.unverified_releases),
         'commands on the wire that no verdict allowed, counted by the observer'),
        ('predicted frames', _number(r.frames_per_s, '/s'),
         'while judging and drawing a command, chunk to frames'),
    ]


def _number(value: float | None, unit: str) -> str:
    return 'none' if value is None else f'{value:.3g} {unit}'.strip()
