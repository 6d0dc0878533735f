from pipeline.cli.run import set_and_tuned
from trainer.tuning.config import Float, Int, TuningConfig


def test_keys_that_are_both_set_and_tuned():
    tuning = TuningConfig((Float("learning_rate", 1e-4, 1e-2), Int("stages.0.tower.output_dim", 8, 64)))
    overrides = (
        "trainer.epochs=3",
        "trainer.stages.0.tower.output_dim=16",
        "learning_rate=3",
        "trainer.learning_rates=1",
    )
    assert set_and_tuned(tuning, overrides) == ["trainer.stages.0.tower.output_dim"]
