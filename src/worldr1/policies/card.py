"""The model card of a trained LoRA: what it was made from, how to load it, what was measured before and after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from worldr1.policies.lora_export import LOW_NOISE_LORA
from worldr1.policies.published import PUBLISHED

_BODY = """
# {title}

A LoRA for [{base}](https://huggingface.co/{base}), trained with [worldr1](https://github.com/worldr1/worldr1)
{version} by reinforcement learning on 3D consistency.

```python
pipeline = DiffusionPipeline.from_pretrained("{base}")
{load}
```

## Measured

The same held-out prompts and noise, before and after.

| metric | before | after | 95 % interval of the change |
|---|---|---|---|
{rows}

Made by `{command}`.

## Licence

The adapter comes under the licence of its base, {licence}{link}.
"""


def is_known(base: str) -> bool:
    """Whether the licence of a base model is known here."""
    return any(model.hub == base for model in PUBLISHED.values())


def base_licence(base: str, licence: str | None = None) -> tuple[str, str]:
    """Identifier and link of a base model's licence; raises ``ValueError`` when it is neither known nor given."""
    for model in PUBLISHED.values():
        if model.hub == base:
            return licence or model.licence, model.licence_link
    if licence is None:
        raise ValueError(f"the licence of {base} is not known here; say it with --licence, as its hub page states it")
    return licence, f"https://huggingface.co/{base}" if licence == "other" else ""


def write_card(
    directory: Path, base: str, repository: str, results: Mapping[str, Any], licence: str | None = None
) -> Path:
    """Write ``README.md`` beside the LoRA in ``directory`` from a run's ``results.json``; returns its path.

    Raises ``ValueError`` when the run measured nothing.
    """
    if not results.get("metrics"):
        raise ValueError("results.json holds no metrics; let the run finish before publishing it")
    identifier, link = base_licence(base, licence)
    rows = [
        f"| {name} | {m['before']:.4f} | {m['after']:.4f} | {m['ci95'][0]:+.4f} … {m['ci95'][1]:+.4f} |"
        for name, m in results["metrics"].items()
    ]
    data = ModelCardData(
        base_model=base,
        license=identifier,
        license_name="base-model-licence" if identifier == "other" else None,
        license_link=link or None,
        library_name="diffusers",
        pipeline_tag="text-to-video",
        tags=["lora", "text-to-video", "worldr1"],
    )
    load = [f'pipeline.load_lora_weights("{repository}")']
    if (directory / LOW_NOISE_LORA).is_file():
        second = f'weight_name="{LOW_NOISE_LORA}", load_into_transformer_2=True'
        load.append(f'pipeline.load_lora_weights("{repository}", {second})')
    body = _BODY.format(
        title=repository.rsplit("/", 1)[-1],
        base=base,
        load="\n".join(load),
        version=results["version"],
        rows="\n".join(rows),
        command=results["command"],
        licence=identifier,
        link=f" ({link})" if link else "",
    )
    path = directory / "README.md"
    ModelCard(f"---\n{data.to_yaml()}\n---\n{body}").save(path)
    return path
