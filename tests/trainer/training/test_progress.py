import re

import numpy as np

from trainer.config.towers import Mlp, TwoTower
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.training.progress import Progress, parameter_table


def test_lines_of_an_epoch():
    lines: list[str] = []
    progress = Progress(lines.append, 100, TrainerConfig(epochs=2, batch_size=32), interval_s=0.0)
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0, {"total_loss": 2.75})
    progress.on_train_batch_end(1, {"total_loss": 2.5})
    progress.on_epoch_end(
        0, {"total_loss": 2.0, "val_total_loss": 3.0, "val_end_to_end_recall": 0.25, "waiting_share": 0.125}
    )
    pattern = r"epoch 1/2 step 2/4: loss 2\.5000, [\d.]+ step/s, [\d,]+ requests/s, ETA \d+ s"
    assert re.fullmatch(pattern, lines[0])
    pattern = (
        r"epoch 1/2: loss 2\.0000, validation end_to_end_recall 0\.2500, 0\.0 s, "
        r"12\.5% of the steps' time waiting for data"
    )
    assert re.fullmatch(pattern, lines[1])


def test_an_epoch_that_goes_on_in_its_middle():
    lines: list[str] = []
    progress = Progress(lines.append, 100, TrainerConfig(epochs=1, batch_size=10), interval_s=0.0)
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(6, {"total_loss": 2.75})
    progress.on_train_batch_end(7, {"total_loss": 2.5})
    assert len(lines) == 1
    assert lines[0].startswith("epoch 1/1 step 8/10: loss 2.5000, ")


def test_parameter_table_counts_every_stage():
    stages = (StageConfig("retrieval", TwoTower(), 30), StageConfig("ranking", Mlp(hidden_units=(4,)), 20))
    model = CascadeModel(TrainerConfig(stages=stages), FeatureSpec(), (), ItemTable((b"a",), np.zeros([2, 0]), ()))
    model(empty_batch(FeatureSpec(), ()))
    lines = [re.split(r"\s{2,}", line.strip()) for line in parameter_table(model).splitlines()]
    sizes = {line[0]: int(line[-1].replace(",", "")) for line in lines[2:]}
    trainable = sum(int(np.prod(weight.shape)) for stage in model.stages for weight in stage.trainable_weights)
    assert sizes["total"] == sizes["retrieval"] + sizes["ranking"] == trainable > 0
    assert lines[2][:3] == ["retrieval", "two_tower", "30"]
