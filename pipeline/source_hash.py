"""A hash of the code that a component runs, because TFX's cache does not see code."""

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
OWN_PACKAGES = ("components", "pipeline", "serving", "sources", "trainer")
"""The packages of this project that an installation has."""


def source_hash(*modules: str) -> str:
    """Hashes the source of modules and of every module of this project that they import, in turn.

    Imports inside functions count; modules named in strings do not, so name those too. A module outside the project
    (an adapter of the user's own) is hashed alone.

    Args:
      *modules: dotted names, such as `"components.cascade_trainer.executor"`.

    Returns:
      16 hexadecimal digits.

    Raises:
      ValueError: there is no such module.
    """
    sources: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in sources:
            continue
        file = _find(module)
        if file is None:
            raise ValueError(f"There is no module named {module!r} to hash")
        sources[module] = file.read_bytes()
        waiting += [name for name in _imports(sources[module], module) if name not in sources and _find(name)]
    digest = hashlib.sha256()
    for module in sorted(sources):
        digest.update(module.encode() + b"\0" + sources[module] + b"\0")
    return digest.hexdigest()[:16]


def _find(module: str) -> Path | None:
    """The module's file. Own modules are found without importing their packages."""
    if module.partition(".")[0] in OWN_PACKAGES:
        path = _ROOT.joinpath(*module.split("."))
        files = (path.with_suffix(".py"), path / "__init__.py")
        return next((file for file in files if file.is_file()), None)
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


@functools.cache
def _imports(source: bytes, module: str) -> frozenset[str]:
    """Names of the own modules that the source may import; a name may turn out to be no module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    own = [name.split(".") for name in names if name.partition(".")[0] in OWN_PACKAGES]
    # A package's __init__ runs when a module in it is imported.
    return frozenset(".".join(parts[:end]) for parts in own for end in range(1, len(parts) + 1))
