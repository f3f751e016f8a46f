"""Whether a model can be had: loading one from the hub retries for half a minute, and then does not say why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from safetensors import SafetensorError

_SECONDS = 10.0  # to wait for an answer


def check_hub(name: str) -> None:
    """Return where ``name`` is a folder, is kept from an earlier download, or the hub has it.

    Raises ``ValueError`` with the cause where it has not, refuses it, or cannot be reached.
    """
    if Path(name).is_dir():
        return
    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return
        HfApi().model_info(name, timeout=_SECONDS)
    except HFValidationError as error:
        raise ValueError(f"there is no folder {name!r}, and it is no hub id (owner/name)") from error
    except RepositoryNotFoundError as error:
        raise ValueError("the hub has no such model, or you may not read it") from error
    except HfHubHTTPError as error:
        raise ValueError(f"the hub refused it: {error}") from error
    except (httpx2.HTTPError, OSError) as error:
        cause = str(error) or type(error).__name__
        raise ValueError(f"the hub cannot be reached ({cause}); use a folder") from error


@contextmanager
def available(name: str) -> Iterator[None]:
    """For loading the model of a folder or hub id; raises as `check_hub`, and ``ValueError`` for damaged weights."""
    check_hub(name)
    try:
        yield
    except SafetensorError as error:
        raise ValueError(f"the weights of {name} are damaged ({error}); download or copy them again") from error
