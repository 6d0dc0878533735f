"""A latent-factor world that logs a recommender's funnel in the RecFlow layout."""

from datasets.simulator.config import SimulatorConfig
from datasets.simulator.simulate import SimulationReport, simulate

__all__ = ["SimulationReport", "SimulatorConfig", "simulate"]
