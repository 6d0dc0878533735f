import dataclasses
import json

import pytest
from tfx.components import SchemaGen

from components.curated_schema.component import CuratedSchema
from pipeline.configs import load
from pipeline.experiment import AdapterConfig
from pipeline.pipeline import create_components, create_pipeline
from pipeline.splits import SplitConfig
from sources.reading import DataError
from sources.simulator import SimulatorConfig, simulate
from trainer.config.json_text import from_json
from trainer.tuning.config import TuningConfig

EXPERIMENT = load("demo", smoke=True)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline") / "data"
    simulate(SimulatorConfig(num_users=20, num_items=900, num_days=4, requests_per_day=10), folder)
    return folder


@pytest.fixture
def components(data_dir, tmp_path):
    def components(experiment=EXPERIMENT, **options):
        folders = {"data_dir": data_dir, "root": tmp_path / "root", "serving_base": tmp_path / "serving"}
        made = create_components(experiment, **{**folders, **options})
        return {component.id: component for component in made}

    return components


def test_components_and_their_days(components):
    made = components()
    assert list(made) == [
        *(f"Request{name}" for name in ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform")),
        *(f"Catalogue{name}" for name in ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform")),
        *("CascadeTrainer", "CascadeEvaluator", "ServingValidator", "CascadePusher"),
    ]
    days = ["2024-01-13", "2024-01-14", "2024-01-15", "2024-01-16"]
    splits = json.loads(made["RequestExampleGen"].exec_properties["splits"])
    assert splits == {"train": days[:2], "eval": days[2:3], "test": days[3:]}
    assert json.loads(made["CatalogueExampleGen"].exec_properties["days"]) == days
    assert json.loads(made["CascadePusher"].exec_properties["data_span"]) == days[:2:1]


def test_parameters_are_plain_values(components):
    for component in components().values():
        for name, value in component.exec_properties.items():
            assert value is None or isinstance(value, str | int | float), (component.id, name)


def test_a_profile_is_a_parameter_of_the_trainer_alone(components):
    plain, profiled = components(), components(profile=True)
    changed = [name for name, made in profiled.items() if made.exec_properties != plain[name].exec_properties]
    assert changed == ["CascadeTrainer"]
    values = [made["CascadeTrainer"].exec_properties["profile"] for made in (plain, profiled)]
    assert values == [0, 1]


def test_code_is_a_parameter_of_every_component_that_runs_ours(components):
    made = components()
    own = ["RequestExampleGen", "CatalogueExampleGen", "CascadeTrainer", "CascadeEvaluator", "ServingValidator"]
    for component in (*own, "CascadePusher"):
        assert len(made[component].exec_properties["source_hash"]) == 16
    for component in ("RequestTransform", "CatalogueTransform"):
        assert len(json.loads(made[component].exec_properties["custom_config"])["source_hash"]) == 16


def test_touched_file_changes_the_fingerprint_and_nothing_else(components, data_dir):
    def properties():
        return {component: dict(made.exec_properties) for component, made in components().items()}

    before = properties()
    next(data_dir.glob("all_stage/*")).touch()
    after = properties()
    changed = {
        (component, name)
        for component, parameters in before.items()
        for name, value in parameters.items()
        if after[component][name] != value
    }
    assert changed == {("RequestExampleGen", "fingerprint"), ("CatalogueExampleGen", "fingerprint")}


def test_best_possible_recall_is_that_of_the_judging_days(components, data_dir):
    by_day = json.loads((data_dir / "oracle.json").read_text())["best_recall_by_day"]
    assert json.loads(components()["CascadeEvaluator"].exec_properties["oracle"]) == by_day["2024-01-16"]["rank_pos"]
    two_days = dataclasses.replace(EXPERIMENT, splits=SplitConfig(test_days=2))
    found = json.loads(components(two_days)["CascadeEvaluator"].exec_properties["oracle"])
    values = [by_day[day]["rank_pos"]["10"] for day in ("2024-01-15", "2024-01-16")]
    assert found["10"] == pytest.approx(sum(values) / 2)


def test_training_knows_where_its_checkpoints_are_and_what_it_starts_from(components, tmp_path):
    properties = components()["CascadeTrainer"].exec_properties
    assert properties["checkpoint_dir"] == str(tmp_path / "root" / "checkpoints")
    assert properties["packed_dir"] == str(tmp_path / "root" / "packed")
    assert (properties["warm_start"], properties["serving_base"]) == ("", str(tmp_path / "serving"))
    in_bucket = components(serving_base="gs://bucket/serving")
    for name in ("CascadeTrainer", "CascadeEvaluator", "CascadePusher"):
        assert in_bucket[name].exec_properties["serving_base"] == "gs://bucket/serving"
    warm = components(EXPERIMENT.with_overrides({"warm_start": "last_release"}))
    assert warm["CascadeTrainer"].exec_properties["warm_start"] == "last_release"


def test_tuning_is_one_more_component_before_the_trainer(components, tmp_path):
    made = components(tune=True)
    plain = list(components())
    assert list(made) == [*plain[:10], "CascadeTuner", *plain[10:]]
    properties = made["CascadeTuner"].exec_properties
    assert from_json(TuningConfig, properties["tuning"]) == EXPERIMENT.tuning
    assert properties["trainer"] == made["CascadeTrainer"].exec_properties["trainer"]
    assert properties["state_dir"] == str(tmp_path / "root" / "tuning")
    assert len(properties["source_hash"]) == 16
    channel = made["CascadeTrainer"].inputs["hyperparameters"]
    assert (channel.producer_component_id, channel.output_key) == ("CascadeTuner", "best_hyperparameters")
    assert "hyperparameters" not in components()["CascadeTrainer"].inputs


def test_nothing_to_tune(components):
    with pytest.raises(ValueError, match=r"`tuning` of the experiment 'demo_smoke' must be set to tune. Received"):
        components(dataclasses.replace(EXPERIMENT, tuning=None), tune=True)


def test_schemas_are_imported_or_inferred(components, tmp_path):
    assert isinstance(components()["RequestSchemaGen"], CuratedSchema)
    assert isinstance(components(dataclasses.replace(EXPERIMENT, schema_dir=None))["RequestSchemaGen"], SchemaGen)
    with pytest.raises(ValueError, match=r"`schema_dir` must hold requests.pbtxt. Received: schema_dir='nowhere'"):
        components(dataclasses.replace(EXPERIMENT, schema_dir="nowhere"))


def test_edited_schema_is_another_parameter(components, tmp_path):
    for name in ("requests", "catalogue"):
        (tmp_path / f"{name}.pbtxt").write_text('feature { name: "age" type: INT }')
    experiment = dataclasses.replace(EXPERIMENT, schema_dir=str(tmp_path))

    def properties():
        return {name: dict(made.exec_properties) for name, made in components(experiment).items() if "Schema" in name}

    before = properties()
    assert properties() == before
    (tmp_path / "requests.pbtxt").write_text('feature { name: "age" type: FLOAT }')
    after = properties()
    assert after["CatalogueSchemaGen"] == before["CatalogueSchemaGen"]
    assert after["RequestSchemaGen"] != before["RequestSchemaGen"]


def test_folder_without_logs(tmp_path):
    with pytest.raises(DataError, match=r"no <day>.feather file is there"):
        create_pipeline(EXPERIMENT, data_dir=tmp_path, root=tmp_path / "root", serving_base=tmp_path / "serving")


def test_unknown_adapter(components):
    with pytest.raises(
        ValueError, match=r"An adapter is one of \['kuairand', 'recflow', 'request_log'\].*Received: 'movielens'"
    ):
        components(dataclasses.replace(EXPERIMENT, adapter=AdapterConfig("movielens")))


def test_metadata_and_artifacts_lie_in_the_root(data_dir, tmp_path):
    pipeline = create_pipeline(EXPERIMENT, data_dir=data_dir, root=tmp_path / "root", serving_base=tmp_path / "serving")
    assert pipeline.pipeline_info.pipeline_root == str(tmp_path / "root" / "artifacts")
    assert pipeline.metadata_connection_config.sqlite.filename_uri == str(tmp_path / "root" / "metadata.sqlite")
    assert pipeline.beam_pipeline_args == []  # with any TFX packs itself for workers elsewhere, in each component
