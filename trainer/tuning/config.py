"""The typed configuration of a search for hyper-parameters."""

import dataclasses
import re
from typing import ClassVar, Literal

from trainer.config.checks import check_kind, check_positive
from trainer.config.overrides import override, override_text
from trainer.config.trainer import TrainerConfig

SamplingKind = Literal["linear", "log"]
StrategyKind = Literal["random", "bayesian"]
Value = bool | int | float | str
"""A hyper-parameter's value; text stands for what `override` reads it as."""

_SET_APART = re.compile(r"epochs|seed|checkpoints\..*")
_MEASURES = re.compile(r"stages\.[0-9]+\.(name|capacity|list_capacity)")


@dataclasses.dataclass(frozen=True)
class Float:
    """A real number in a range.

    Args:
      key: of the `TrainerConfig`, dotted as for `override`: `"loss.method.temperature"`.
      low: least value.
      high: largest value.
      sampling: `"log"` draws each order of magnitude equally often, for learning rates, temperatures and weights.
    """

    kind: ClassVar[str] = "float"

    key: str
    low: float
    high: float
    sampling: SamplingKind = "linear"

    def __post_init__(self) -> None:
        _check_bounds(self)

    @property
    def bounds(self) -> tuple[Value, ...]:
        """The values that the configuration must take, for it to take all."""
        return (self.low, self.high)

    def holds(self, value: object) -> bool:
        """Whether a value of the configuration is one of these."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True)
class Int:
    """An integer in a range.

    Args:
      key: of the `TrainerConfig`, dotted as for `override`: `"stages.0.tower.output_dim"`.
      low: least value.
      high: largest value.
      step: distance of two neighbours, factor between them where `sampling` is `"log"`; `None` allows every integer.
      sampling: `"log"` draws each order of magnitude equally often.
    """

    kind: ClassVar[str] = "int"

    key: str
    low: int
    high: int
    step: int | None = None
    sampling: SamplingKind = "linear"

    def __post_init__(self) -> None:
        _check_bounds(self)
        least = 2 if self.sampling == "log" else 1
        if self.step is not None and self.step < least:
            raise ValueError(f"`step` of `{self.key}` must be at least {least}. Received: step={self.step}")

    @property
    def bounds(self) -> tuple[Value, ...]:
        """The values that the configuration must take, for it to take all."""
        return (self.low, self.high)

    def holds(self, value: object) -> bool:
        """Whether a value of the configuration is one of these."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        if self.sampling == "linear":
            return (value - self.low) % self.step == 0
        at = self.low
        while at < value:
            at *= self.step
        return at == value


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values.

    Args:
      key: of the `TrainerConfig`, dotted as for `override`: `"stages.1.tower.hidden_units"`.
      values: all of one type. A tuple is given as text, as on the command line: `"128,64"`.
    """

    kind: ClassVar[str] = "choice"

    key: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values)) != len(self.values):
            raise ValueError(f"`values` of `{self.key}` must be two or more, all different. Received: {self.values}")
        if len({type(value) for value in self.values}) != 1 or not isinstance(self.values[0], bool | int | float | str):
            raise ValueError(
                f"`values` of `{self.key}` must all be numbers of one type, all text or all true or false. "
                f"Received: {self.values}"
            )

    @property
    def bounds(self) -> tuple[Value, ...]:
        """The values that the configuration must take."""
        return self.values

    def holds(self, value: object) -> bool:
        """Whether a value of the configuration is one of these."""
        return self.find(value) is not None

    def find(self, value: object) -> Value | None:
        """Returns the one of `values` that stands for a value of the configuration."""
        return next((known for known in self.values if override_text(known) == override_text(value)), None)


Range = Float | Int | Choice


@dataclasses.dataclass(frozen=True)
class TuningConfig:
    """A search for the values of a `TrainerConfig` with the best end-to-end recall on the evaluation days.

    Args:
      search_space: which values, and what they may be.
      num_trials: training runs, at most; fewer where the search space holds no more.
      epochs: passes over the training requests of a trial; `None` stands for the configuration's.
      max_requests: training requests of a trial, and evaluation requests, at most, drawn once for all trials; `None`
        takes all.
      strategy: `"random"` draws each trial on its own. `"bayesian"` does so for three trials per key, then goes where
        a Gaussian process over the trials before expects the most; it needs scikit-learn, which is not installed with
        this project.
      seed: of the draws.
    """

    search_space: tuple[Range, ...]
    num_trials: int = 20
    epochs: int | None = None
    max_requests: int | None = None
    strategy: StrategyKind = "random"
    seed: int = 17

    def __post_init__(self) -> None:
        if not self.search_space:
            raise ValueError("`search_space` must hold at least one range. Received: none")
        for part in self.search_space:
            if not isinstance(part, Float | Int | Choice):
                raise ValueError(f"`search_space` must hold `Float`, `Int` and `Choice`. Received: {part!r}")
        keys = [part.key for part in self.search_space]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"`search_space` must hold each key once. Received twice: {', '.join(twice)}")
        for key in keys:
            if _SET_APART.fullmatch(key):
                raise ValueError(f"`search_space` cannot hold `{key}`, which is the same in all trials")
            if _MEASURES.fullmatch(key):
                raise ValueError(f"`search_space` cannot hold `{key}`, which changes what is measured")
        check_positive(self, "num_trials", "seed", *(["epochs"] if self.epochs is not None else []))
        if self.max_requests is not None:
            check_positive(self, "max_requests")
        check_kind(self, "strategy", StrategyKind)

    def check(self, trainer: TrainerConfig) -> None:
        """Checks that a training configuration takes the values, each on its own.

        Raises:
          ValueError: it has no such key, or refuses a bound of a range or one of a choice's values.
        """
        for part in self.search_space:
            for value in part.bounds:
                try:
                    override(trainer, {part.key: override_text(value)})
                except ValueError as error:
                    raise ValueError(f"`search_space`, {part.key}={override_text(value)}: {error}") from error


def _check_bounds(part: Float | Int) -> None:
    check_kind(part, "sampling", SamplingKind)
    if not part.low < part.high:
        raise ValueError(f"`low` of `{part.key}` must be below `high`. Received: low={part.low}, high={part.high}")
    if part.sampling == "log" and part.low <= 0:
        raise ValueError(f"`low` of `{part.key}` must be positive to be drawn by its logarithm. Received: {part.low}")
