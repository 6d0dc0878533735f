"""The pipeline: from request logs and a catalogue to a pushed release."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfx.components import SchemaGen, StatisticsGen, Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from components.cascade_evaluator.component import CascadeEvaluator
from components.cascade_pusher.component import CascadePusher
from components.cascade_trainer.component import CascadeTrainer
from components.cascade_tuner.component import CascadeTuner
from components.curated_schema.component import CuratedSchema
from components.example_gen.adapters import adapter_path, load_adapter
from components.example_gen.component import CatalogueExampleGen, RequestExampleGen
from components.example_gen.fingerprint import fingerprint
from components.serving_validator.component import ServingValidator
from components.strict_example_validator.component import StrictExampleValidator
from pipeline.experiment import ExperimentConfig
from pipeline.oracle import best_possible_recall
from pipeline.source_hash import source_hash
from trainer.config.json_text import to_json

_SCHEMAS = Path(__file__).parent / "schemas"


@dataclasses.dataclass(frozen=True)
class _Data:
    """One data set's way from examples to Transform."""

    example_gen: BaseNode
    statistics_gen: StatisticsGen
    schema_gen: BaseNode
    validator: StrictExampleValidator
    transform: Transform

    @property
    def nodes(self) -> tuple[BaseNode, ...]:
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))


def create_pipeline(
    experiment: ExperimentConfig,
    *,
    data_dir: Path,
    root: Path,
    serving_base: str | os.PathLike[str],
    tune: bool = False,
    profile: bool = False,
    beam_pipeline_args: Sequence[str] = (),
) -> Pipeline:
    """Creates the pipeline of an experiment with its metadata in `<root>/metadata.sqlite`.

    Args:
      experiment: what to run.
      data_dir: folder of the raw logs.
      root: folder of artifacts, metadata, the checkpoints of unfinished training runs and the state of searches.
      serving_base: folder that releases are pushed to, or a path with a scheme, such as `gs://bucket/serving`.
      tune: whether to tune hyper-parameters first and train with the best.
      profile: whether training traces a few steps for TensorBoard's profiler.
      beam_pipeline_args: arguments of every Beam job; without any it runs in this process, and TFX packs no copy of
        itself for workers elsewhere.

    Raises:
      DataError: the folder does not hold the data set.
      ValueError: the adapter's options, the splits or the schema folder do not fit, or there is nothing to tune.
    """
    experiment.check()
    components = create_components(
        experiment, data_dir=data_dir, root=root, serving_base=serving_base, tune=tune, profile=profile
    )
    return _pipeline(experiment, components, root, beam_pipeline_args)


def create_data_pipeline(
    experiment: ExperimentConfig,
    *,
    data_dir: Path,
    root: Path,
    beam_pipeline_args: Sequence[str] = (),
) -> Pipeline:
    """Creates the part of `create_pipeline` that ends with Transform; both share a cache."""
    experiment.check()
    requests, catalogue, _ = _create_data(experiment, data_dir)
    return _pipeline(experiment, (*requests.nodes, *catalogue.nodes), root, beam_pipeline_args)


def create_components(
    experiment: ExperimentConfig,
    *,
    data_dir: Path,
    root: Path,
    serving_base: str | os.PathLike[str],
    tune: bool = False,
    profile: bool = False,
) -> tuple[BaseNode, ...]:
    """Creates the components of an experiment; see `create_pipeline`."""
    requests, catalogue, splits = _create_data(experiment, data_dir)
    judging_days = splits.get("test", splits["eval"])
    return (
        *requests.nodes,
        *catalogue.nodes,
        *_create_release(
            experiment,
            requests,
            catalogue,
            root=root,
            tuner=_create_tuner(experiment, requests, catalogue, root) if tune else None,
            serving_base=serving_base,
            oracle=best_possible_recall(experiment, data_dir, judging_days),
            data_span=(splits["train"][0], splits["train"][-1]),
            profile=profile,
        ),
    )


def _create_data(experiment: ExperimentConfig, data_dir: Path) -> tuple[_Data, _Data, Mapping[str, Sequence[str]]]:
    """Returns the ways of the requests and of the catalogue to Transform, and the days of each split."""
    declaration = experiment.adapter.declare(data_dir)
    adapter = load_adapter(declaration)
    splits = experiment.splits.resolve(adapter.days())
    days = tuple(sorted({day for split in splits.values() for day in split}))
    read = {
        "adapter": declaration,
        "fingerprint": fingerprint(adapter.files(days)),
        "source_hash": source_hash(
            "components.example_gen.executor", adapter_path(experiment.adapter.kind).rpartition(".")[0]
        ),
    }
    requests = _process(experiment, "Request", "requests", RequestExampleGen(splits=splits, **read))
    catalogue = _process(experiment, "Catalogue", "catalogue", CatalogueExampleGen(days=days, **read))
    return requests, catalogue, splits


def _pipeline(
    experiment: ExperimentConfig, components: Sequence[BaseNode], root: Path, beam_pipeline_args: Sequence[str]
) -> Pipeline:
    return Pipeline(
        pipeline_name=experiment.name,
        pipeline_root=str(root / "artifacts"),
        components=list(components),
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
        beam_pipeline_args=list(beam_pipeline_args),
    )


def _create_release(
    experiment: ExperimentConfig,
    requests: _Data,
    catalogue: _Data,
    *,
    root: Path,
    tuner: CascadeTuner | None,
    serving_base: str | os.PathLike[str],
    oracle: dict[str, float],
    data_span: tuple[str, str],
    profile: bool,
) -> tuple[BaseNode, ...]:
    raw_requests = requests.example_gen.outputs["examples"]
    transformed_requests = requests.transform.outputs["transformed_examples"]
    trainer = CascadeTrainer(
        **_training_inputs(experiment, requests, catalogue, root),
        hyperparameters=None if tuner is None else tuner.outputs["best_hyperparameters"],
        checkpoint_dir=str(root / "checkpoints"),
        warm_start=experiment.warm_start or "",
        serving_base=os.fspath(serving_base),
        source_hash=source_hash("components.cascade_trainer.executor"),
        profile=profile,
    )
    release = trainer.outputs["release"]
    evaluator = CascadeEvaluator(
        release=release,
        requests=raw_requests,
        catalogue=catalogue.example_gen.outputs["examples"],
        config=to_json(experiment.evaluation),
        serving_base=os.fspath(serving_base),
        oracle=json.dumps(oracle),
        source_hash=source_hash("components.cascade_evaluator.executor"),
    )
    serving_validator = ServingValidator(
        release=release,
        model_blessing=evaluator.outputs["blessing"],
        requests=raw_requests,
        transformed_requests=transformed_requests,
        **dataclasses.asdict(experiment.serving_validation),
        source_hash=source_hash("components.serving_validator.executor", "serving.server.__main__"),
    )
    pusher = CascadePusher(
        release=release,
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_validator.outputs["blessing"],
        serving_base=os.fspath(serving_base),
        data_span=data_span,
        source_hash=source_hash("components.cascade_pusher.executor"),
    )
    return (*([] if tuner is None else [tuner]), trainer, evaluator, serving_validator, pusher)


def _create_tuner(experiment: ExperimentConfig, requests: _Data, catalogue: _Data, root: Path) -> CascadeTuner:
    if experiment.tuning is None:
        raise ValueError(f"`tuning` of the experiment {experiment.name!r} must be set to tune. Received: tuning=None")
    experiment.tuning.check(experiment.trainer)  # not earlier: a key to tune may be one of another loss or tower
    return CascadeTuner(
        **_training_inputs(experiment, requests, catalogue, root),
        tuning=to_json(experiment.tuning),
        state_dir=str(root / "tuning"),
        source_hash=source_hash("components.cascade_tuner.executor"),
    )


def _training_inputs(experiment: ExperimentConfig, requests: _Data, catalogue: _Data, root: Path) -> dict[str, Any]:
    """What the trainer and the tuner both take."""
    return {
        "requests": requests.transform.outputs["transformed_examples"],
        "catalogue": catalogue.transform.outputs["transformed_examples"],
        "request_transform": requests.transform.outputs["transform_graph"],
        "catalogue_transform": catalogue.transform.outputs["transform_graph"],
        "trainer": to_json(experiment.trainer),
        "features": to_json(experiment.features),
        "packed_dir": str(root / "packed"),
    }


def _process(experiment: ExperimentConfig, prefix: str, schema: str, example_gen: BaseNode) -> _Data:
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"]).with_id(f"{prefix}StatisticsGen")
    if experiment.schema_dir is None:
        schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"], infer_feature_shape=False)
    else:
        schema_gen = CuratedSchema(_schema_file(experiment.schema_dir, f"{schema}.pbtxt"))
    schema_gen = schema_gen.with_id(f"{prefix}SchemaGen")
    validator = StrictExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    ).with_id(f"{prefix}ExampleValidator")
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn=f"trainer.data.preprocessing.{prefix.lower()}_preprocessing_fn",
        custom_config={
            "features": to_json(experiment.features),
            "source_hash": source_hash("trainer.data.preprocessing"),
        },
        disable_statistics=True,  # of each split before and after it: nothing reads them
    ).with_id(f"{prefix}Transform")
    # Nothing is made of data that the validator refuses.
    transform.add_upstream_node(validator)
    return _Data(example_gen, statistics_gen, schema_gen, validator, transform)


def _schema_file(schema_dir: str, name: str) -> Path:
    for folder in (_SCHEMAS / schema_dir, Path(schema_dir)):
        if (folder / name).is_file():
            return (folder / name).resolve()
    raise ValueError(f"`schema_dir` must hold {name}. Received: schema_dir={schema_dir!r}")
