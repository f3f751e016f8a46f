"""The command line: one flat level of subcommands. Each imports what it needs only when it runs."""

from __future__ import annotations

import difflib
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import get_args

import tyro

from worldr1.commands.arguments import (
    Check,
    Command,
    Demo,
    Export,
    Generate,
    Info,
    Pretrain,
    Prompts,
    Publish,
    Score,
    Train,
    ValidateRewards,
    Worlds,
)

DESCRIPTION = """Teach a text-to-video model 3D consistency by reinforcement learning.

Exit status: 0 done, 1 a guard of demo or train failed, 2 something is wrong with what was asked for.
WORLDR1_DEBUG=1 shows the traceback of an error."""

UserError = (ValueError, OSError, FloatingPointError)  # their messages are written for whoever typed the command


def run(command: Command) -> int:
    """Carry out a subcommand; returns the exit status."""
    if not isinstance(command, Info | Worlds) and not debugging():  # those two load neither of them
        from worldr1.runtime import quiet_libraries

        quiet_libraries()
    match command:
        case Demo():
            from worldr1.demo import run_demo

            return run_demo(command.out, command.seed, command.scale)
        case Pretrain():
            from worldr1.commands.pretrain import run_pretrain

            return run_pretrain(
                command.preset, command.out, command.device, command.threads, command.install_weights, command.only
            )
        case Check():
            from worldr1.commands.check import run_check

            run_check(command.preset, command.algorithm)
        case Train():
            from worldr1.commands.train import run_train

            return run_train(command)
        case Generate():
            from worldr1.commands.generate import run_generate

            run_generate(command)
        case Publish():
            from worldr1.commands.publish import run_publish

            run_publish(command)
        case Export():
            from worldr1.policies.lora_export import export_comfyui

            for file, count in export_comfyui(command.lora, command.out).items():
                print(f"{count} matrices in {file}")
        case Score():
            from worldr1.commands.score import run_score

            run_score(command)
        case Worlds():
            from worldr1.commands.worlds import run_worlds

            run_worlds(command)
        case Prompts():
            from worldr1.commands.prompts import run_prompts

            run_prompts(command)
        case ValidateRewards():
            from worldr1.commands.validate import run_validate

            run_validate(command)
        case Info():
            from worldr1.commands.info import run_info

            run_info(command)
    return 0


def debugging() -> bool:
    """Whether ``WORLDR1_DEBUG`` asks for tracebacks and every notice."""
    return os.environ.get("WORLDR1_DEBUG", "") not in ("", "0")


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, an ``OSError``'s with its file and without its number."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(text.split()) or type(error).__name__


def check_name(arguments: Sequence[str]) -> None:
    """Raise ``ValueError`` with a suggestion when the first argument is no subcommand."""
    # tyro's names: CamelCase becomes kebab-case
    names = [re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower() for kind in get_args(Command)]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in names:
        near = difflib.get_close_matches(arguments[0], names, n=1)
        guess = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
        raise ValueError(f"unknown command {arguments[0]!r}; {guess}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``worldr1``: returns the exit status, or raises ``SystemExit`` for unusable arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = debugging()
    try:
        check_name(arguments)
        with warnings.catch_warnings():
            if not debug:  # about libraries' insides; nobody at a command line can act on them
                warnings.simplefilter("ignore", FutureWarning)
                warnings.filterwarnings("ignore", "Mismatch dtype between input and weight", UserWarning)
                warnings.filterwarnings("ignore", category=UserWarning, module="huggingface_hub")
            return run(tyro.cli(Command, prog="worldr1", description=DESCRIPTION, args=arguments))  # type: ignore[arg-type]
    except KeyboardInterrupt:
        print("worldr1: interrupted", file=sys.stderr)
        return 130
    except UserError as error:
        if debug:
            raise
        print(f"worldr1: {one_line(error)}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if debug or type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported here
            raise
        advice = "ask for fewer or smaller frames, a -24gb preset, or --save-memory where the command has it"
        print(f"worldr1: out of memory: {one_line(error).split('. ')[0]}; {advice}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
