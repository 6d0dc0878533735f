"""One method in one setting: its settings chosen on validation worlds, its recall measured on others."""

import dataclasses
import functools
import time

import numpy as np

from benchmarks.toy.cascade import Measures, ToyTrainer
from benchmarks.toy.methods import LEARNING_RATES, METHODS, SETTINGS
from benchmarks.toy.world import Requests, World, draw_requests

_FIRST_VALIDATION_SEED = 1_000


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every method gets, the same for all.

    Args:
      num_seeds: worlds that the report is about.
      num_validation_seeds: other worlds, to choose a method's own setting and learning rate on.
      num_requests: requests of a training set, and of a held-out one.
      num_steps: of the optimiser.
      batch_size: requests per step.
    """

    num_seeds: int = 6
    num_validation_seeds: int = 2
    num_requests: int = 4096
    num_steps: int = 600
    batch_size: int = 32


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a method did in a setting.

    Args:
      chosen: the method's own setting that the validation worlds chose; empty if it has none.
      learning_rate: the one that they chose.
      measures: of the held-out requests, one per seed.
      duration_s: wall-clock seconds that all its runs took.
    """

    chosen: str
    learning_rate: float
    measures: list[Measures]
    duration_s: float


def study_method(setting_name: str, method_name: str, budget: Budget) -> Outcome:
    """Chooses a method's own setting at the first learning rate, then its learning rate; then trains each seed.

    Args:
      setting_name: a key of `SETTINGS`.
      method_name: a key of `METHODS`.
      budget: what it gets.

    Returns:
      How it did.
    """
    start_s = time.monotonic()
    setting = SETTINGS[setting_name]
    validation_seeds = range(_FIRST_VALIDATION_SEED, _FIRST_VALIDATION_SEED + budget.num_validation_seeds)
    trainers = {
        word: ToyTrainer(setting.world, setting.capacities, loss, budget.batch_size)
        for word, loss in METHODS[method_name].losses.items()
    }

    @functools.cache
    def run(word: str, learning_rate: float, seed: int) -> Measures:
        train, held_out = _requests(setting.world, seed, budget.num_requests)
        trainers[word].train(train, seed=seed, num_steps=budget.num_steps, learning_rate=learning_rate)
        return trainers[word].measure(held_out)

    def validation_recall(word: str, learning_rate: float) -> float:
        return float(np.mean([run(word, learning_rate, seed).recall for seed in validation_seeds]))

    chosen = max(trainers, key=lambda word: validation_recall(word, LEARNING_RATES[0]))
    learning_rate = max(LEARNING_RATES, key=lambda rate: validation_recall(chosen, rate))
    measures = [run(chosen, learning_rate, seed) for seed in range(budget.num_seeds)]
    return Outcome(chosen, learning_rate, measures, time.monotonic() - start_s)


@functools.lru_cache(maxsize=16)
def _requests(world: World, seed: int, num_requests: int) -> tuple[Requests, Requests]:
    return draw_requests(world, seed, num_requests), draw_requests(world, seed, num_requests, held_out=True)
