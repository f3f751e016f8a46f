"""worldr1: teach a text-to-video model 3D consistency by reinforcement learning."""

__version__ = "0.1.0"
