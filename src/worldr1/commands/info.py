"""``worldr1 info``: versions, devices and packaged weights."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

import worldr1
from worldr1.commands.arguments import Info as Arguments
from worldr1.rewards.published import STACKS, describe_stack

WEIGHTS = Path(worldr1.__file__).parent / "weights"
PACKAGES = {
    "torch": "torch",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "peft": "peft",
    "warp": "warp-lang",
    "opencv": "opencv-python-headless",
    "av": "av",
}


def version(package: str) -> str | None:
    """Version of an installed package; ``None`` when it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def extras() -> dict[str, list[str]]:
    """The package's extras, each with what of it is not installed; empty when worldr1 itself is not installed."""
    try:
        requirements = importlib.metadata.requires("worldr1") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    missing: dict[str, list[str]] = {}
    for requirement in requirements:
        found = re.match(r"([\w.-]+).*;.*\bextra\s*==\s*[\"']([\w-]+)[\"']", requirement)
        if found:
            package, extra = found.groups()
            missing.setdefault(extra, []).extend([] if version(package) else [package])
    return missing


def weights(directory: Path) -> dict[str, int]:
    """Bytes of each packaged file or folder of weights."""
    if not directory.is_dir():
        return {}
    return {
        entry.name: sum(f.stat().st_size for f in [entry, *entry.rglob("*")] if f.is_file())
        for entry in sorted(directory.iterdir())
    }


def gather() -> dict[str, Any]:
    """All of it, ready for JSON."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "worldr1": worldr1.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(package) for name, package in PACKAGES.items()},
        "devices": ["cpu", *(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(cuda))],
        "cpu_cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "weights_bytes": weights(WEIGHTS),
        "extras_missing": extras(),
        "reward_stacks": {name: describe_stack(stack) for name, stack in STACKS.items()},
    }


def run_info(arguments: Arguments) -> None:
    """Print what `gather` found."""
    found = gather()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    rows: dict[str, str] = {name: found[name] for name in ("worldr1", "python", "platform")}
    rows |= {name: value or "missing" for name, value in found["packages"].items()}
    rows["devices"] = ", ".join(found["devices"])
    rows["CPU"] = f"{found['cpu_cores']} cores, torch uses {found['torch_threads']} threads"
    sizes = [f"{name} {size / 1e6:.2f} MB" for name, size in found["weights_bytes"].items()]
    rows["weights"] = ", ".join(sizes) or "none packaged: run worldr1 pretrain tiny"
    for extra, missing in found["extras_missing"].items():
        rows[f"extra {extra}"] = f"pip install 'worldr1[{extra}]' adds {', '.join(missing)}" if missing else "installed"
    for stack, lines in found["reward_stacks"].items():
        rows[f"rewards {stack}"] = "\n".join(lines)
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    Console().print(table)
