"""The typed record of an experiment: which data, which features, which training, which gates."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.example_gen.adapters import declare_adapter
from pipeline.comparison.config import BenchmarkConfig
from pipeline.splits import SplitConfig
from sources.simulator import SimulatorConfig
from trainer.config.json_text import from_json, to_json
from trainer.config.overrides import override
from trainer.config.trainer import TrainerConfig
from trainer.data.features import Categorical, FeatureSpec
from trainer.evaluation.config import EvaluationConfig
from trainer.tuning.config import TuningConfig


@dataclasses.dataclass(frozen=True)
class AdapterConfig:
    """The adapter that reads the data set.

    Args:
      kind: `"recflow"`, `"kuairand"`, `"request_log"`, or the path of an adapter class such as
        `"my_package.MyAdapter"`.
      options: its arguments other than the data folder; plain JSON values.
    """

    kind: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def declare(self, data_dir: Path) -> str:
        """Returns the adapter over `data_dir` as `components.example_gen.adapters.load_adapter` reads it."""
        return declare_adapter(self.kind, {"data_dir": str(data_dir), **self.options})


@dataclasses.dataclass(frozen=True)
class ServingValidationConfig:
    """What the candidate's server is asked before it is pushed.

    Args:
      num_requests: logged requests that are sent.
      k: items asked for in each.
      tolerance: largest allowed difference of two scores, relative to `max(1, |score|)`.
      timeout_s: limit for the server's start and for each call.
    """

    num_requests: int = 32
    k: int = 50
    tolerance: float = 1e-5
    timeout_s: float = 900.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"`{field.name}` must be positive. Received: {field.name}={getattr(self, field.name)}")


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One experiment.

    Args:
      name: names the pipeline and its folder.
      description: what it follows, the number to expect, hardware and minutes.
      adapter: reads the data set.
      features: what a request and an item carry.
      splits: the days of each split.
      trainer: the cascade and its training.
      evaluation: what is measured and what a release must reach.
      serving_validation: what is asked of the candidate's server.
      warm_start: what training starts from: `None` for random weights, `"last_release"` for the newest release in the
        serving folder (random weights before the first), or the folder of a candidate release or of a cascade's
        SavedModel, such as that of the day before.
      tuning: the search for hyper-parameters of `lcron run --tune`, if the experiment has one.
      schema_dir: folder of curated schemas, `requests.pbtxt` and `catalogue.pbtxt`: a path, or the name of a folder
        of `pipeline/schemas`. `None` infers the schemas from the data, which then cannot be anomalous.
      simulation: the world that `lcron simulate` writes logs of, if the experiment has one.
      benchmark: how `lcron benchmark` compares methods on it.
    """

    name: str
    description: str
    adapter: AdapterConfig
    features: FeatureSpec
    splits: SplitConfig = dataclasses.field(default_factory=SplitConfig)
    trainer: TrainerConfig = dataclasses.field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    serving_validation: ServingValidationConfig = ServingValidationConfig()
    warm_start: str | None = None
    tuning: TuningConfig | None = None
    schema_dir: str | None = None
    simulation: SimulatorConfig | None = None
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)

    def check(self) -> None:
        """Checks what the parts of an experiment promise each other.

        Raises:
          ValueError: two values that must fit do not.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise ValueError(f"`name` must be letters, digits, `_` and `-`. Received: name={self.name!r}")
        last = self.trainer.stages[-1]
        if self.evaluation.ks[-1] > last.capacity:
            raise ValueError(
                f"`evaluation.ks` must not exceed the capacity of the last stage, {last.capacity}. "
                f"Received: ks={self.evaluation.ks}"
            )
        for name in ("time_zone", "history_size", "list_size"):
            given, declared = self.adapter.options.get(name), getattr(self.features, name)
            if given not in (None, declared):
                raise ValueError(
                    f"`adapter.options.{name}` and `features.{name}` must be equal. Received: {given!r}, {declared!r}"
                )
        categorical = {feature.name for feature in self.features.item if isinstance(feature, Categorical)}
        unknown = [name for name in self.trainer.index.filters if name not in categorical]
        if unknown:
            raise ValueError(
                f"`trainer.index.filters` must be categorical in `features.item`, of {sorted(categorical)}. "
                f"Received: {unknown}"
            )
        known = {feature.name for feature in self.features.request}
        unknown = [name for name in self.evaluation.slices.request_features if name not in known]
        if unknown:
            raise ValueError(
                f"`evaluation.slices.request_features` must be declared in `features.request`. Received: {unknown}"
            )

    def with_overrides(self, values: Mapping[str, str]) -> "ExperimentConfig":
        """Returns a copy with some values replaced, such as `{"trainer.epochs": "3"}`.

        Raises:
          ValueError: an unknown key (the message names the nearest one) or a value of another type.
        """
        return override(self, values)

    def to_json(self) -> str:
        """Returns JSON text that `from_json` reads back equal."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> "ExperimentConfig":
        """Reads what `to_json` wrote.

        Raises:
          ValueError: a key is unknown, missing or of another type.
        """
        return from_json(cls, text)
