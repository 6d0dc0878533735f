"""A latent-factor world that logs a recommender's funnel in the RecFlow layout."""

from sources.simulator.config import SimulatorConfig
from sources.simulator.simulate import SimulationReport, simulate

__all__ = ["SimulationReport", "SimulatorConfig", "simulate"]
