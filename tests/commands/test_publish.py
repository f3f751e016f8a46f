"""Model card and upload, against a hub that runs in this process."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from policies.pipelines import policy
from worldr1.commands.arguments import Publish
from worldr1.commands.publish import LORA_FILE, run_publish
from worldr1.policies.card import base_licence, is_known, write_card

BASE = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
RESULTS = {
    "metrics": {"depth_error": {"before": 0.2, "after": 0.15, "ci95": [-0.06, -0.04]}},
    "command": "worldr1 train wan-1.3b --seed 0",
    "version": "0.1.0",
}


class Hub(ThreadingHTTPServer):
    """As much of a hub as an upload needs: what it was sent is in ``files``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.created: list[str] = []
        self.files: dict[str, bytes] = {}
        self.token = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.token = self.headers.get("Authorization", "")
        if self.server.token != "Bearer good":
            self._answer({"error": "no write access"}, 403)
        elif self.path == "/api/repos/create":
            request = json.loads(body)
            self.server.created.append(f"{request['organization']}/{request['name']}")
            self._answer({"url": f"{self.server.url}/{self.server.created[-1]}"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif "/commit/" in self.path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            url = f"{self.server.url}/me/lora/commit/1"
            self._answer({"commitUrl": url, "commitOid": "1", "success": True})
        else:
            self._answer({"error": self.path}, 404)

    def _answer(self, content: object, status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_TOKEN", "good")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    model = policy("wan")
    model.add_lora(2)
    model.save(str(tmp_path / "lora"))
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    (tmp_path / "lora" / "secret.txt").write_text("not for the hub")
    return tmp_path


def test_what_arrives_is_the_adapter_and_its_card(hub: Hub, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_publish(Publish(run, "me/lora", BASE, endpoint=hub.url))
    assert hub.created == ["me/lora"]
    assert set(hub.files) == {LORA_FILE, "README.md"}
    assert hub.files[LORA_FILE] == (run / "lora" / LORA_FILE).read_bytes()
    card = ModelCard(hub.files["README.md"].decode())
    assert card.data.base_model == BASE
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "diffusers"
    assert "| depth_error | 0.2000 | 0.1500 | -0.0600 … -0.0400 |" in card.text
    assert 'load_lora_weights("me/lora")' in card.text
    assert "worldr1 train wan-1.3b --seed 0" in card.text
    assert capfd.readouterr().out.strip().endswith("/me/lora/commit/1")


def test_a_refusal_of_the_hub_is_one_line(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "bad")
    with pytest.raises(ValueError, match="is the token allowed to write"):
        run_publish(Publish(run, "me/lora", BASE, endpoint=hub.url))
    assert hub.files == {}


def test_nothing_is_sent_of_what_is_not_finished(hub: Hub, run: Path) -> None:
    with pytest.raises(ValueError, match="write it as owner/name"):
        run_publish(Publish(run, "lora", BASE, endpoint=hub.url))
    with pytest.raises(ValueError, match="no finished run"):
        run_publish(Publish(run / "lora", "me/lora", BASE, endpoint=hub.url))
    (run / "results.json").write_text(json.dumps({"metrics": {}}))
    with pytest.raises(ValueError, match="holds no metrics"):
        run_publish(Publish(run, "me/lora", BASE, endpoint=hub.url))
    assert hub.created == []


def test_an_unknown_base_needs_its_licence_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="say it with --licence"):
        base_licence("some/model")
    card = ModelCard.load(write_card(tmp_path, "some/model", "me/lora", RESULTS, "mit"))
    assert card.data.license == "mit"
    # what a run writes for a hub id whose licence nobody here knows
    assert base_licence("some/model", "other") == ("other", "https://huggingface.co/some/model")
    assert is_known(BASE)
    assert not is_known("some/model")
    other = ModelCard.load(write_card(tmp_path, "Lightricks/LTX-Video", "me/lora", RESULTS))
    assert other.data.license == "other"
    assert "huggingface.co/Lightricks/LTX-Video" in other.data.license_link
