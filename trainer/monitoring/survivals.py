"""Histograms of what each stage lets through, and the bound that they make."""

from collections.abc import Mapping

import tensorflow as tf

from trainer.monitoring.survival_bound import SurvivalBound, survival_bound
from trainer.monitoring.tensorboard import IntervalCallback, SummaryWriters

Batch = Mapping[str, tf.Tensor]


class Survivals(IntervalCallback):
    """Writes `survival/<stage>/ground_truth` and `survival/<stage>/rest`, histograms, and the scalars `bound/*`.

    The soft survival of each candidate is that of the LCRON operator at the stage's list capacity;
    `survival/end_to_end/*` is the product over the stages, and the fields of `SurvivalBound` are the scalars. Seen are
    the current batch of training, scored anew after its step, and the first batch of the evaluation split after each
    epoch.

    Args:
      writers: of the run.
      interval_steps: steps between two looks at the training split; each costs a forward pass.
    """

    def __init__(
        self,
        writers: SummaryWriters,
        interval_steps: int = 200,
    ) -> None:
        super().__init__(interval_steps)
        self._writers = writers

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        # Made here and not by a decorator: its signature is that of the run's batches.
        self._look = tf.function(
            self._survivals, input_signature=[self.params["train_batches"].element_spec], autograph=False
        )

    def on_interval(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        seen = next(iter(self.params["train_batches"].epoch(self.epoch, batch)))
        self._write(self._writers.train, self.step(batch), seen)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        seen = next(iter(self.params["eval_batches"].epoch()))
        self._write(self._writers.validation, self.step(self.num_steps - 1), seen)

    def _write(self, writer: tf.summary.SummaryWriter, step: int, batch: Batch) -> None:
        survivals, bound = self._look(batch)
        masks = {"ground_truth": batch["ground_truth"], "rest": batch["where"] & ~batch["ground_truth"]}
        with writer.as_default(step):
            for stage, survival in survivals.items():
                for name, mask in masks.items():
                    tf.summary.histogram(f"survival/{stage}/{name}", tf.boolean_mask(survival, mask))
            for name, value in bound._asdict().items():
                tf.summary.scalar(f"bound/{name}", value)
        writer.flush()

    def _survivals(self, batch: Batch) -> tuple[dict[str, tf.Tensor], SurvivalBound]:
        model = self.model
        scores = model.score(batch)
        heads = [survival.head for survival in model.cascade_loss.list_survivals(scores, batch)]
        bound = survival_bound(
            heads, scores, batch["ground_truth"], where=batch["where"], capacities=model.list_capacities
        )
        survivals = {stage.name: head for stage, head in zip(model.config.stages, heads, strict=True)}
        return survivals | {"end_to_end": tf.reduce_prod(tf.stack(heads), axis=0)}, bound
