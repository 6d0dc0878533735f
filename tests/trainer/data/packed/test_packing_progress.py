import gzip
import re

import numpy as np

from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.input import ParsedBatch
from trainer.data.packed.packing_progress import PackingProgress


def test_lines_tell_share_speed_and_the_remaining_time(tmp_path):
    paths = [tmp_path / "a.gz", tmp_path / "b.gz"]
    for path in paths:
        path.write_bytes(gzip.compress(bytes(300)))
    batches = [ParsedBatch({"user": np.zeros(1000)}, CatalogueMisses(0, 0, 0, 0), 150) for _ in range(4)]
    lines: list[str] = []
    progress = PackingProgress(lines.append, "training requests", [str(path) for path in paths], interval_s=0.0)
    assert list(progress.watch(batches)) == batches
    for line, count, share in zip(lines, ("1,000", "2,000", "3,000", "4,000"), (25, 50, 75, 100), strict=False):
        expected = rf"packing training requests: {count}, {share}%, [0-9,]+ requests/s, ETA [0-9]+ s"
        assert re.fullmatch(expected, line), line
    assert re.fullmatch(r"packed 4,000 training requests in [0-9.]+ s, [0-9,]+ requests/s", lines[4])
    assert len(lines) == 5


def test_lines_keep_their_distance(tmp_path):
    lines: list[str] = []
    batches = [ParsedBatch({"user": np.zeros(5)}, CatalogueMisses(0, 0, 0, 0), 1)] * 3
    assert len(list(PackingProgress(lines.append, "requests", []).watch(batches))) == 3
    assert [line.partition(" in ")[0] for line in lines] == ["packed 15 requests"]
