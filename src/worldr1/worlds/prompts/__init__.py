"""Pure-text prompts: written with their camera path, and read back from free phrasing."""

from worldr1.worlds.prompts.coverage import coverage, coverage_table
from worldr1.worlds.prompts.parser import parse_camera, parse_shake_deg
from worldr1.worlds.prompts.writer import write_prompts

__all__ = ["coverage", "coverage_table", "parse_camera", "parse_shake_deg", "write_prompts"]
