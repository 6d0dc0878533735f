"""The examples in docstrings say what comes out."""

import ast
import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "trainer").rglob("*.py"))
    if ">>> " in path.read_text()
]


def _result(source, names):
    try:
        return eval(source, names)
    except SyntaxError:  # it is no expression
        exec(source, names)


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module):
    found = [test for test in doctest.DocTestFinder().find(importlib.import_module(module)) if test.examples]
    assert found
    for test in found:
        for example in test.examples:
            result = _result(example.source, test.globs)
            assert (result is None) == (example.want == ""), example.source
            if example.want:
                np.testing.assert_allclose(result, ast.literal_eval(example.want), atol=1e-3)
