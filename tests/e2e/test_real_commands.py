"""As a user would: train a small pipeline of every class from the command line, kill it, go on, generate, export."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from policies.pipelines import build
from worldr1.policies.lora_export import LORA_FILE, LOW_NOISE_LORA

PRESETS = {
    "wan": "wan-1.3b-24gb",
    "wan22": "wan2.2-14b",
    "wan5b": "wan-5b",
    "ltx": "ltx-2b-24gb",
    "cogvideox": "cogvideox-5b",
    "hunyuanvideo": "hunyuanvideo",
}
SHAPE = ("--height", "64", "--width", "64", "--frames", "9")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "worldr1", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*arguments: object) -> str:
    process = start(*arguments)
    out, err = process.communicate()
    assert process.returncode in (0, 1), err
    assert err == ""
    return out


def content(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Matrices and metadata. The bytes of the file itself may differ: safetensors writes metadata in any order."""
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key).numpy().tobytes() for key in file.keys()}, file.metadata()  # noqa: SIM118


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", sorted(PRESETS))
def test_train_kill_resume_generate_and_export(kind: str, tmp_path: Path) -> None:
    build(kind).save_pretrained(tmp_path / "model")
    small = ("--model", tmp_path / "model", *SHAPE, "--reward-stack", "packaged", "--held-out", 2)
    train = ("train", PRESETS[kind], *small, "--prompts", 1, "--group", 4, "--iterations", 7)

    finish(*train, "--out", tmp_path / "whole")
    killed = start(*train, "--out", tmp_path / "parts")
    while not list((tmp_path / "parts").glob("checkpoints/*.sha256")):
        assert killed.poll() is None
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    again = finish(*train, "--out", tmp_path / "parts")
    assert "iteration 5" not in again
    assert "iteration 7" in again

    names = [LORA_FILE] + ([LOW_NOISE_LORA] if kind == "wan22" else [])
    for name in names:
        whole, parts = (content(tmp_path / run / "lora" / name) for run in ("whole", "parts"))
        assert whole == parts, name
    for name in ("after/000.mp4", "after/001.mp4"):
        whole, parts = ((tmp_path / run / name).read_bytes() for run in ("whole", "parts"))
        assert whole == parts, name

    prompt = ("--prompt", "a red box on grass", "--steps", 4, "--guidance", 3)
    lora = ("--lora", tmp_path / "whole" / "lora", "--out", tmp_path / "x.mp4")
    finish("generate", "--model", tmp_path / "model", *SHAPE, *prompt, *lora)
    if kind != "cogvideox":  # ComfyUI itself has no such model
        finish("export", tmp_path / "whole" / "lora", "--out", tmp_path / "comfy.safetensors")
        assert len(list(tmp_path.glob("comfy*"))) == len(names)
