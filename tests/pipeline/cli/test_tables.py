import datetime

from pipeline.cli.tables import components_table, oracle_table, recommendations_table, runs_table
from pipeline.history import ComponentRun, PipelineRun

START = datetime.datetime(2024, 1, 13, tzinfo=datetime.timezone.utc)


def component(name, state="executed", error=None, **properties):
    return ComponentRun(name, state, START, 1.25, properties, {}, error)


def run(*components, num_components=2):
    return PipelineRun("demo", "run1", tuple(components), num_components)


def test_runs_table():
    good = run(component("CascadeEvaluator", "cached", blessed=1), component("CascadePusher", version=1700000000))
    assert runs_table([good]).splitlines() == [
        "run    pipeline    state     seconds    cached    blessed    release",
        "-----  ----------  --------  ---------  --------  ---------  ----------",
        "run1   demo        complete  2.5        1/2       yes        1700000000",
    ]


def test_a_run_is_blessed_only_by_every_gate():
    refused = run(component("CascadeEvaluator", blessed=1), component("ServingValidator", blessed=0))
    assert runs_table([refused]).splitlines()[2].split() == ["run1", "demo", "refused", "2.5", "0/2", "no", "-"]
    early = run(component("RequestExampleGen", "failed", error="no"))
    assert runs_table([early]).splitlines()[2].split() == ["run1", "demo", "failed", "1.2", "0/1", "-", "-"]


def test_a_run_that_lacks_components_was_interrupted():
    table = runs_table([run(component("RequestExampleGen"), num_components=2)])
    assert table.splitlines()[2].split() == ["run1", "demo", "interrupted", "1.2", "0/1", "-", "-"]


def test_components_table_shows_figures_or_the_error():
    lines = components_table([component("A", num_items=3, recall=0.123456), component("B", "failed", "bad file")])
    assert lines.splitlines()[2:] == [
        "A            executed  1.2        num_items 3, recall 0.1235",
        "B            failed    1.2        bad file",
    ]


def test_oracle_table_orders_the_cuts():
    table = oracle_table({"rank_pos": {"10": 0.5, "100": 1.0, "20": 0.75}})
    assert table.splitlines()[0].split() == ["best", "possible", "recall@10", "recall@20", "recall@100"]
    assert table.splitlines()[2].split() == ["rank_pos", "0.5000", "0.7500", "1.0000"]


def test_recommendations_table():
    assert recommendations_table(["i7", "i3"], [1.5, -0.25]).splitlines()[2:] == [
        "1       i7      1.5000",
        "2       i3      -0.2500",
    ]
