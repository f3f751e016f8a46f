"""The pages' templates, which share one style sheet."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def load_template(name: str) -> Template:
    """A template of this package by file name; what it is given is escaped, and what it lacks is an error."""
    loader = PackageLoader("worldr1.report", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
