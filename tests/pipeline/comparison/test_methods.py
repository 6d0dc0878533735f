import pytest

from pipeline.comparison.methods import GROUPS, METHODS, choose_methods
from pipeline.comparison.paper import TABLES
from pipeline.configs import load


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_the_paper_experiments(name):
    for config in ("recflow_two_stage", "recflow_three_stage"):
        experiment = load(config)
        experiment = experiment.with_overrides({**experiment.benchmark.overrides, **METHODS[name].overrides})
        experiment.check()
        assert experiment.trainer.loss.method.kind == METHODS[name].settings["method"]
        assert experiment.trainer.loss.catalogue.weight == 0


def test_all_are_the_eight_methods_of_the_paper():
    assert choose_methods("all") == (
        "bce",
        "icc",
        "rank_flow",
        "fs_ranknet",
        "fs_lambda_loss",
        "arf",
        "arf_v2",
        "lcron",
    )
    assert set(GROUPS["all"]) == set(TABLES["three_stage"])


def test_the_paper_knows_only_methods_that_there_are():
    assert {name for table in TABLES.values() for name in table} <= set(METHODS)


def test_methods_of_groups_and_names_come_once_in_their_order():
    assert choose_methods("arf, ablations,lcron")[:3] == ("arf", "lcron", "lcron_without_e2e")
    assert choose_methods("lcron,lcron") == ("lcron",)


@pytest.mark.parametrize(("names", "received"), [("bpr", "'bpr'"), (" , ", "' , '")])
def test_unknown_methods_are_named(names, received):
    with pytest.raises(ValueError, match=rf"`methods` must name .*Received: {received}"):
        choose_methods(names)
