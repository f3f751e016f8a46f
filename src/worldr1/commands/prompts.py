"""``worldr1 prompts``: prompts for training as JSON lines, and what they cover."""

from __future__ import annotations

import json

from worldr1.commands.arguments import Prompts as Arguments
from worldr1.files import write_atomically
from worldr1.worlds.prompts import coverage_table, write_prompts


def run_prompts(arguments: Arguments) -> None:
    """Write the prompts and print their coverage; raises ``ValueError`` for fewer than one."""
    if arguments.count < 1:
        raise ValueError(f"--count {arguments.count}: ask for at least one prompt")
    prompts = write_prompts(arguments.kind, arguments.count, arguments.seed)
    lines = [{"prompt": p.text, "name": f"{arguments.kind}-{i:05d}"} for i, p in enumerate(prompts)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_atomically(text, arguments.out)
    print(coverage_table(prompts))
    print(f"{len(prompts)} prompts in {arguments.out}; `worldr1 generate --prompts` reads them")
