"""The training step as TensorFlow and XLA compile it."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.trainer import TrainerConfig

HOST_ONLY = re.compile(r"PyFunc|^Print|^Assert$|String|Lookup|Unicode|Decode|Parse|ReadFile|WriteFile|Summary")


def _gradients(model, batch, *, jit_compile=False):
    """Logs of a step, and what plain gradient descent at rate one takes from every weight.

    One that XLA does not compile runs operation by operation, which takes less time than to trace it.
    """
    variables = [*model.trainable_variables]
    before = [variable.numpy() for variable in variables]
    step = tf.function(model.train_step, jit_compile=True, autograph=False) if jit_compile else model.train_step
    logs = step(batch)
    after = [variable.numpy() for variable in variables]
    return {name: float(value) for name, value in logs.items()}, [a - b for a, b in zip(before, after, strict=True)]


def test_xla_gives_loss_and_gradients_of_the_plain_step(tiny):
    config = dataclasses.replace(tiny.config, jit_compile=True)
    plain, compiled = (
        _gradients(tiny.model(config, tf.keras.optimizers.SGD(1.0)), tiny.batch(7), jit_compile=jit)
        for jit in (False, True)
    )
    assert compiled[0] == pytest.approx(plain[0], rel=1e-4)
    for gradient, expected in zip(compiled[1], plain[1], strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-6)
    assert max(np.abs(gradient).max() for gradient in plain[1]) > 1e-2


def test_negatives_that_only_fill_up_change_nothing(tiny):
    catalogue = dataclasses.replace(tiny.config.loss.catalogue, num_retrieved_negatives=0)
    config = dataclasses.replace(tiny.config, loss=dataclasses.replace(tiny.config.loss, catalogue=catalogue))
    exact, padded = (
        _gradients(
            tiny.model(dataclasses.replace(config, jit_compile=jit), tf.keras.optimizers.SGD(1.0)), tiny.batch(7)
        )
        for jit in (False, True)
    )
    assert padded[0] == pytest.approx(exact[0], rel=1e-5)
    for gradient, expected in zip(padded[1], exact[1], strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "settings", [{}, {"precision": "float16", "optimizer": "lazy_adam"}, {"jit_compile": True, "precision": "bfloat16"}]
)
def test_a_step_is_one_graph_without_a_word_to_the_host(tiny, settings):
    model = tiny.model(dataclasses.replace(tiny.config, **settings))
    signature = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in tiny.batch(1).items()}
    step = tf.function(model.train_step, input_signature=[signature], autograph=False)
    graph = step.get_concrete_function().graph.as_graph_def()
    kinds = {node.op for node in graph.node} | {node.op for part in graph.library.function for node in part.node_def}
    assert "MatMul" in kinds
    assert not [kind for kind in kinds if HOST_ONLY.search(kind)]
    types = {attribute.type for node in graph.node for attribute in node.attr.values()}
    assert tf.string.as_datatype_enum not in types


def test_what_xla_cannot_compile_is_refused():
    with pytest.raises(
        ValueError, match=r"`jit_compile` needs .* Received: optimizer='lazy_adam', distribution='none'"
    ):
        TrainerConfig(jit_compile=True, optimizer="lazy_adam")
    with pytest.raises(ValueError, match=r"`jit_compile` needs .* distribution='mirrored'"):
        TrainerConfig(jit_compile=True, distribution="mirrored")


def test_devices_are_counted_for_mirrored_alone():
    with pytest.raises(ValueError, match=r"`num_devices` must be `None` unless .* distribution='none'"):
        TrainerConfig(num_devices=2)
    with pytest.raises(ValueError, match=r"`num_devices` must be positive\. Received: num_devices=0"):
        TrainerConfig(num_devices=0, distribution="mirrored")
