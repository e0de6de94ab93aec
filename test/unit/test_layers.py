# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Guard the direction of imports, the gate's independence, printing, names and licence headers."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'wm_ros'

# A part may import parts of a lower rank, and those of its own rank that do not import it.
RANKS = {
    'datatypes': 0, 'errors': 0, 'config': 0,
    'world_model': 1, 'data': 1, 'calibration': 1, 'inference': 1, 'gate': 1, 'simulation': 1,
    'training': 2, 'demo': 2, 'faults': 2, 'benchmark': 3,
    'verbs': 4, 'cli': 4,
    'ros': 5,
}
COMMAND_LINE = ('verbs', 'cli')
# Programs, not libraries. The benchmark starts and ends its processes as the demo does.
USERS = {'demo': (*COMMAND_LINE, 'benchmark'), 'benchmark': COMMAND_LINE}
MIDDLE = frozenset(part for part, rank in RANKS.items() if rank == 1)
HEAVY = frozenset({'torch', 'onnx', 'onnxruntime', 'tensorrt', 'mujoco'})
ROS_PACKAGES = frozenset({
    'rclpy', 'launch', 'launch_ros', 'action_msgs', 'ament_index_python', 'builtin_interfaces',
    'control_msgs', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs',
    'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_ros',
    'trajectory_msgs', 'visualization_msgs',
})
LICENCE = ('Copyright 2026 The wm_ros authors', 'SPDX-License-Identifier: Apache-2.0')


def deferred_nodes(tree: ast.Module) -> set[ast.AST]:
    """Collect the code inside functions, which runs only when they are called."""
    return {inner for outer in ast.walk(tree)
            if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef))
            for inner in ast.walk(outer)}


def imported_modules(path: Path, package: Path = PACKAGE, *,
                     deferred: bool = True) -> Iterator[str]:
    """Yield the full name of everything that a file imports, inside functions too or not."""
    parents = path.relative_to(package.parent).with_suffix('').parts[:-1]
    tree = ast.parse(path.read_text(encoding='utf-8'))
    left_out = set() if deferred else deferred_nodes(tree)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parents[:len(parents) - node.level + 1] if node.level else ()
            module = '.'.join((*above, *((node.module,) if node.module else ())))
            yield from (f'{module}.{alias.name}' for alias in node.names)
        elif (isinstance(node, ast.Call) and ast.unparse(node.func).endswith('import_module')
              and node.args and isinstance(node.args[0], ast.Constant)):
            yield str(node.args[0].value)


def part_of(path: Path, package: Path) -> str:
    """Name the part of the architecture that a file belongs to; '' for the package itself."""
    part = path.relative_to(package).with_suffix('').parts[0]
    return '' if part == '__init__' else part


def part_imports(package: Path) -> Iterator[tuple[Path, str, str]]:
    """
    Yield (file, its part, the part that it imports) for imports between parts.

    A verb of the command line may start a ROS program; the command line itself works without.
    """
    for path in sorted(package.rglob('*.py')):
        part = part_of(path, package)
        for name in imported_modules(path, package, deferred=part not in COMMAND_LINE):
            target = name.split('.')[1] if name.startswith('wm_ros.') else part
            if target != part and not target.startswith('_'):
                yield path, part, target


def layer_violations(package: Path) -> list[str]:
    """List the imports that point the wrong way."""
    found = []
    for path, part, target in part_imports(package):
        where = f'{path.relative_to(package.parent)} imports wm_ros.{target}'
        if part not in RANKS or target not in RANKS | {'msg': 0, 'srv': 0}:
            found.append(f'{where}: a part that architecture.md does not name')
        elif target in ('msg', 'srv'):
            if part != 'ros':
                found.append(f'{where}: messages belong to wm_ros.ros alone')
        elif RANKS[target] > RANKS[part]:
            found.append(f'{where}, which is above it')
        elif part not in USERS.get(target, RANKS):
            found.append(f'{where}: only {", ".join(USERS[target])} may')
        elif part == 'gate' and RANKS[target] > 0:
            found.append(f'{where}: the gate stands alone')
    return found


def cycles(package: Path) -> list[str]:
    """List parts of the middle layer that import each other, directly or through others."""
    graph: dict[str, set[str]] = {part: set() for part in MIDDLE}
    for _, part, target in part_imports(package):
        if part in MIDDLE and target in MIDDLE:
            graph[part].add(target)

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*graph[start]]
        while waiting:
            part = waiting.pop()
            if part not in seen:
                seen.add(part)
                waiting.extend(graph[part])
        return seen

    return sorted(part for part in MIDDLE if part in reachable(part))


def ros_violations(package: Path) -> list[str]:
    """List imports of ROS packages outside wm_ros.ros."""
    return [f'{path.relative_to(package.parent)} imports {name}'
            for path in sorted(package.rglob('*.py')) if part_of(path, package) != 'ros'
            for name in imported_modules(path, package) if name.split('.')[0] in ROS_PACKAGES]


def module_file(name: str, package: Path) -> Path | None:
    """Find the file of `wm_ros.a.b` or of the `wm_ros.a.b` in `wm_ros.a.b.some_name`."""
    parts = name.split('.')[1:]
    while parts:
        path = package.joinpath(*parts)
        if path.with_suffix('.py').is_file():
            return path.with_suffix('.py')
        if (path / '__init__.py').is_file():
            return path / '__init__.py'
        parts.pop()
    return None


def heavy_imports(start: list[Path], package: Path) -> list[str]:
    """List the heavy libraries that these files reach through any chain of our modules."""
    waiting, seen, found = list(start), set(start), []
    while waiting:
        path = waiting.pop()
        for name in imported_modules(path, package):
            if name.split('.')[0] in HEAVY:
                found.append(f'{path.relative_to(package.parent)} imports {name}')
            elif name.startswith('wm_ros.'):
                target = module_file(name, package)
                if target is not None and target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return sorted(found)


def prints(package: Path) -> list[str]:
    """List calls of print outside cli.py."""
    return [f'{path.relative_to(package.parent)}:{node.lineno}'
            for path in sorted(package.rglob('*.py')) if path != package / 'cli.py'
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'print']


def missing_licence(paths: list[Path]) -> list[str]:
    """List the files whose first lines lack the two licence lines."""
    return [str(path) for path in paths
            if not all(line in '\n'.join(path.read_text(encoding='utf-8').splitlines()[:6])
                       for line in LICENCE)]


def our_files() -> list[Path]:
    """List every file of ours that can carry a comment."""
    paths = [ROOT / name for name in ('Makefile', 'env.sh', 'setup.py', 'CMakeLists.txt',
                                      'package.xml', 'pyproject.toml', '.ci/run')]
    for folder, pattern in (('wm_ros', '*.py'), ('test', '*.py'), ('launch', '*.py'),
                            ('scripts', '*'), ('config', '*'), ('requirements', '*.txt')):
        paths += [path for path in sorted((ROOT / folder).rglob(pattern))
                  if path.is_file() and path.suffix not in ('.pyc', '.png', '.json')]
    return paths


def test_imports_point_one_way():
    assert layer_violations(PACKAGE) == []
    assert cycles(PACKAGE) == []


def test_ros_is_imported_by_the_ros_part_alone():
    assert ros_violations(PACKAGE) == []


def test_the_gate_reaches_no_inference_library():
    gate = sorted((PACKAGE / 'gate').rglob('*.py'))
    node = sorted((PACKAGE / 'ros').glob('gate*.py'))
    assert heavy_imports(gate + node, PACKAGE) == []


def test_only_the_command_line_prints():
    assert prints(PACKAGE) == []


def test_no_sub_package_hides_generated_interfaces():
    assert [name for name in ('msg', 'srv', 'action') if (PACKAGE / name).exists()] == []


def test_every_file_names_the_licence():
    assert missing_licence(our_files()) == []


@pytest.fixture
def package(tmp_path):
    """Make a package with one fault of each kind."""
    files = {
        '__init__.py': '',
        'gate/checks.py': 'from wm_ros.simulation import scene\n',
        'gate/effects.py': 'def f():\n    import wm_ros.ros.qos\n',
        'data/episode.py': 'from ..simulation.scene import Scene\nimport sensor_msgs.msg\n',
        'simulation/scene.py': 'from wm_ros import data\nfrom wm_ros.msg import Verdict\n',
        'simulation/world.py': 'import torch.nn\nprint(1)\n',
        'training/trainer.py': 'import wm_ros.demo.table\n',
        'ros/qos.py': 'from wm_ros.simulation.world import World\n',
        'utils.py': 'from wm_ros import errors\n',
        'cli.py': 'import wm_ros.ros.qos\ndef record():\n    import wm_ros.ros.recorder\n',
        'demo/table.py': '',
        'errors.py': '',
    }
    for name, text in files.items():
        path = tmp_path / 'wm_ros' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / 'wm_ros'


def test_the_guards_find_what_they_guard_against(package):
    assert layer_violations(package) == [
        'wm_ros/cli.py imports wm_ros.ros, which is above it',
        'wm_ros/gate/checks.py imports wm_ros.simulation: the gate stands alone',
        'wm_ros/gate/effects.py imports wm_ros.ros, which is above it',
        'wm_ros/simulation/scene.py imports wm_ros.msg: messages belong to wm_ros.ros alone',
        'wm_ros/training/trainer.py imports wm_ros.demo: only verbs, cli, benchmark may',
        'wm_ros/utils.py imports wm_ros.errors: a part that architecture.md does not name',
    ]
    assert cycles(package) == ['data', 'simulation']
    assert ros_violations(package) == ['wm_ros/data/episode.py imports sensor_msgs.msg']
    assert heavy_imports([package / 'ros' / 'qos.py'], package) == [
        'wm_ros/simulation/world.py imports torch.nn']
    assert prints(package) == ['wm_ros/simulation/world.py:2']
    assert missing_licence([package / 'errors.py']) == [str(package / 'errors.py')]
