"""Components that take no time and are noisy."""

import logging
import os
import sys
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Config, ModelBlessing

from components.blessing import write_blessing
from components.progress import report
from sources.reading import DataError


@component
def Source(config: OutputArtifact[Config], text: Parameter[str]):
    print("printed by a library")
    print("complained by a library", file=sys.stderr)
    os.write(2, b"written by C++\n")
    logging.getLogger("library").warning("logged by a library")
    report("half way")
    (Path(config.uri) / "text").write_text(text)
    config.set_int_custom_property("train.num_examples", len(text))


@component
def Middle(config: InputArtifact[Config], copy: OutputArtifact[Config], failure: Parameter[str]):
    if failure == "data":
        raise DataError("/data/x.csv: row 3, `user_id` must be set. Received: ''")
    if failure == "library":
        raise KeyError("user_id")
    (Path(copy.uri) / "text").write_text((Path(config.uri) / "text").read_text())


@component
def Gate(config: InputArtifact[Config], blessing: OutputArtifact[ModelBlessing], reason: Parameter[str]):
    write_blessing(blessing, [reason] if reason else [], blessed_file="BLESSED", not_blessed_file="NOT_BLESSED")


@component
def Sink(blessing: InputArtifact[ModelBlessing], done: OutputArtifact[Config]):
    (Path(done.uri) / "done").touch()
