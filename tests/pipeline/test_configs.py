import pytest

from pipeline.configs import NAMES, load
from pipeline.experiment import ExperimentConfig


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_survives_json(name, smoke):
    experiment = load(name, smoke=smoke)
    assert experiment.name == name
    assert ExperimentConfig.from_json(experiment.to_json()) == experiment


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_can_deliver_what_it_measures(name):
    experiment = load(name)
    assert experiment.evaluation.ks[-1] <= experiment.trainer.stages[-1].capacity
    assert experiment.features.list_size == 40
    assert all(stage.list_capacity is not None for stage in experiment.trainer.stages)


@pytest.mark.parametrize("name", ["demo", "recflow_two_stage"])
def test_the_smoke_variant_simulates_a_smaller_world(name):
    full, small = load(name), load(name, smoke=True)
    assert small.features == full.features
    assert small.simulation.num_requests < full.simulation.num_requests / 10


def test_an_unknown_experiment_is_named():
    with pytest.raises(ValueError, match=r"`config` must be one of demo, recflow_two_stage, kuairand\. Received: 'nope'"):
        load("nope")
