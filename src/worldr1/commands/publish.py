"""``worldr1 publish``: a trained LoRA and its card to a model hub."""

from __future__ import annotations

import json
import re

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from worldr1.commands.arguments import Publish
from worldr1.policies.card import write_card
from worldr1.policies.lora_export import LORA_FILE


def run_publish(arguments: Publish) -> None:
    """Write the card, upload ``lora/`` and print the address. Raises ``ValueError`` for what cannot be published."""
    for name in (arguments.repository, arguments.base):
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            raise ValueError(f"{name!r} is no hub id; write it as owner/name")
    lora, results = arguments.run / "lora", arguments.run / "results.json"
    if not (lora / LORA_FILE).is_file() or not results.is_file():
        raise ValueError(f"{arguments.run} holds no finished run (lora/{LORA_FILE} and results.json)")
    write_card(lora, arguments.base, arguments.repository, json.loads(results.read_text()), arguments.licence)
    hub = HfApi(endpoint=arguments.endpoint)
    try:
        hub.create_repo(arguments.repository, private=arguments.private, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=arguments.repository,
            folder_path=lora,
            allow_patterns=["*.safetensors", "README.md"],
            commit_message="LoRA trained with worldr1",
        )
    except HfHubHTTPError as error:
        raise ValueError(f"the hub refused {arguments.repository}: {error}; is the token allowed to write?") from error
    print(commit.commit_url)
