"""From an adapter's declaration, as it travels in exec properties, to the adapter."""

import importlib
import json
from collections.abc import Mapping
from typing import Any

from sources.adapter import Adapter

ADAPTERS = {
    "kuairand": "sources.kuairand.adapter.KuaiRandAdapter",
    "recflow": "sources.recflow.adapter.RecFlowAdapter",
    "request_log": "sources.request_log.adapter.RequestLogAdapter",
}
"""Registry name to class path."""


def adapter_path(kind: str) -> str:
    """Returns the class path of `kind`, a name in `ADAPTERS` or a class path itself.

    Raises:
      ValueError: `kind` is neither.
    """
    path = ADAPTERS.get(kind, kind)
    if "." not in path:
        raise ValueError(
            f"An adapter is one of {sorted(ADAPTERS)} or a class path such as 'my_package.MyAdapter'. "
            f"Received: {kind!r}"
        )
    return path


def declare_adapter(kind: str, options: Mapping[str, Any]) -> str:
    """Returns the JSON `{"class": path, "options": options}` that `load_adapter` reads."""
    return json.dumps({"class": adapter_path(kind), "options": dict(options)}, sort_keys=True)


def load_adapter(declaration: str) -> Adapter:
    """Builds the adapter that `declare_adapter` declared.

    Raises:
      ValueError: the class cannot be imported or does not take the options.
    """
    declared = json.loads(declaration)
    module, _, name = declared["class"].rpartition(".")
    try:
        adapter_class = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"The adapter class {declared['class']!r} cannot be imported: {error}") from error
    try:
        return adapter_class(**declared["options"])
    except TypeError as error:
        raise ValueError(f"The adapter {declared['class']!r} does not take its options: {error}") from error
