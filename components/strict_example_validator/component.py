"""The component that stops a run on anomalous examples."""

from tfx.components import ExampleValidator
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.strict_example_validator.executor import Executor


class StrictExampleValidator(ExampleValidator):
    """TFX's ExampleValidator, whose anomalies end the run instead of being noted.

    It takes what ExampleValidator takes and has its output `anomalies`. On an anomaly it fails with one message that
    says which feature, which split and what; the anomalies then lie in the folder `refused` beside `anomalies`.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
