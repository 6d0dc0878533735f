import re

import pytest

from pipeline.configs import NAMES, load
from pipeline.experiment import ExperimentConfig


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_survives_json(name, smoke):
    experiment = load(name, smoke=smoke)
    assert experiment.name == (f"{name}_smoke" if smoke else name)
    experiment.check()
    assert ExperimentConfig.from_json(experiment.to_json()) == experiment


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_can_deliver_what_it_measures(name):
    experiment = load(name)
    assert experiment.evaluation.gate.minimum or experiment.evaluation.gate.popularity_factor > 1
    assert experiment.features.list_size == (50 if name == "recflow_three_stage" else 40)
    assert all(stage.list_capacity is not None for stage in experiment.trainer.stages)


@pytest.mark.parametrize("name", ["demo", "recflow_two_stage"])
def test_the_smoke_variant_simulates_a_smaller_world(name):
    full, small = load(name), load(name, smoke=True)
    assert small.features == full.features
    assert small.simulation.num_requests < full.simulation.num_requests / 10


def test_an_unknown_experiment_is_named():
    message = (
        "`config` must be one of demo, recflow_two_stage, recflow_three_stage, kuairand, gpu_smoke. Received: 'nope'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load("nope")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"evaluation.ks": "10,1000"},
            "`evaluation.ks` must not exceed the capacity of the last stage, 50. Received: ks=(10, 1000)",
        ),
        ({"name": "../x"}, "`name` must be letters, digits, `_` and `-`. Received: name='../x'"),
        (
            {"features.time_zone": "UTC"},
            "`adapter.options.time_zone` and `features.time_zone` must be equal. Received: 'Asia/Shanghai', 'UTC'",
        ),
        (
            {"evaluation.slices.request_features": "nope"},
            "`evaluation.slices.request_features` must be declared in `features.request`. Received: ['nope']",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load("demo").with_overrides(values).check()


@pytest.mark.parametrize("order", [1, -1])
def test_fields_that_must_fit_each_other_are_set_in_any_order(order):
    both = {"trainer.loss.method.operator": "sparse_top_k", "trainer.loss.method.epsilon": "1e-6"}
    lcron = load("demo").with_overrides(dict(list(both.items())[::order])).trainer.loss.method
    assert (lcron.operator, lcron.epsilon) == ("sparse_top_k", 1e-6)


def test_parts_are_held_against_each_other_after_all_overrides():
    both = {"features.time_zone": "UTC", "adapter.options.time_zone": "UTC"}
    load("demo").with_overrides(both).check()
