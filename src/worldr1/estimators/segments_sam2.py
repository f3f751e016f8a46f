"""Objects that SAM 2 (Ravi et al. 2024) finds in a clip, through `transformers`: masks from a grid of points, tracked.

`transformers` prepares pictures for these models only where torchvision is installed; here they are resized and
normalised as its processors would.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import AutoConfig, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from worldr1.estimators.segments import confident, distinct, painted

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ENTERED = 0.5  # of a mask that may lie on objects already followed, or it is one of them
_POINTS_AT_ONCE = 64


class Sam2Segments:
    """Ids of the objects of a clip: a `rewards.evidence.SegmentEstimator` that looks at the pictures alone.

    ``model`` is a hub id (``facebook/sam2.1-hiera-tiny``), a folder or a loaded `Sam2VideoModel`. Masks are proposed by
    a grid of ``points`` x ``points`` prompts in the first frame and, for what comes into view later, in ``looks - 1``
    more, spread over the clip; at most ``most`` objects are followed, the most confident ones first. An object is
    followed forward from where it was found, and keeps its id through an occlusion as far as the model's memory does.
    Raises ``OSError`` when the model cannot be loaded, ``ValueError`` when it is of another kind.
    """

    def __init__(self, model: str | Path | Sam2VideoModel, *, points: int = 16, looks: int = 4, most: int = 16) -> None:
        if isinstance(model, (str, Path)):
            kind = AutoConfig.from_pretrained(str(model)).model_type
            if kind != "sam2_video":  # others load too, with random weights in place of the memory's
                raise ValueError(
                    f"no segments from a {kind!r} model; use a SAM 2 one, such as facebook/sam2.1-hiera-tiny"
                )
            model = Sam2VideoModel.from_pretrained(str(model), dtype=torch.float32).eval()
        self.model = model
        self.side = int(model.config.image_size)
        self.reach = max(model.config.num_maskmem, model.config.max_object_pointers_in_encoder)  # frames it looks back
        self.points, self.looks, self.most = points, looks, most

    def normalise(self, frames: Tensor) -> Tensor:
        """Frames ``[n, 3, h, w]`` in [0, 1] to the network's square input."""
        mean, std = (torch.tensor(v, device=frames.device).view(3, 1, 1) for v in (_MEAN, _STD))
        size = (self.side, self.side)
        return (interpolate(frames, size, mode="bilinear", antialias=True, align_corners=False) - mean) / std

    @torch.inference_mode()
    def answers(self, frame: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits ``[n, 3, s, s]`` at the network's own size and their expected IoU ``[n, 3]``, of the network's
        input ``[3, side, side]``, each for one of ``points`` ``[n, 2]`` in pixels of it."""
        embeddings = self.model.get_image_embeddings(frame[None])
        place = self.model.get_image_wide_positional_embeddings()
        masks, quality = [], []
        for part in points.to(frame).split(_POINTS_AT_ONCE):
            prompt = part[None, :, None]
            label = torch.ones(prompt.shape[:3], dtype=torch.int, device=frame.device)
            sparse, dense = self.model.get_prompt_embeddings(input_points=prompt - 0.5, input_labels=label)
            found = self.model.mask_decoder(
                image_embeddings=embeddings[-1],
                image_positional_embeddings=place,
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
                high_resolution_features=embeddings[:-1],
            )
            masks.append(found[0][0])
            quality.append(found[1][0])
        return torch.cat(masks), torch.cat(quality)

    def proposals(self, frame: Tensor) -> Tensor:
        """Masks ``[k, s, s]`` bool of the distinct objects of one frame, the most confident first, of the network's
        input ``[3, side, side]``."""
        step = self.side / self.points
        line = (torch.arange(self.points, device=frame.device) + 0.5) * step
        grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)
        logits, quality = (x.flatten(0, 1) for x in self.answers(frame, grid))
        kept = confident(logits, quality)
        return (logits[kept] > 0)[distinct(logits[kept] > 0, quality[kept])]

    @torch.inference_mode()
    def __call__(self, video: Tensor, *_measured: Tensor) -> Tensor:
        """Ids ``[f, h, w]`` of the objects of a clip ``[f, 3, h, w]`` in [0, 1]; 0 where there is none."""
        device = next(self.model.parameters()).device
        f, _, h, w = video.shape
        session = Sam2VideoInferenceSession(
            video_height=h, video_width=w, inference_device=device, inference_state_device=device,
            video_storage_device=device, dtype=torch.float32,
        )  # fmt: skip
        looks = {round(k * f / self.looks) for k in range(self.looks)}
        ids = []
        for t in range(f):
            frame = self.normalise(video[t : t + 1].to(device))[0]
            logits = self._followed(session, frame, t)
            if t in looks and len(session.obj_ids) < self.most:
                found = self.proposals(frame)
                known = (logits > 0).any(0)
                new = (found & known).sum((1, 2)) < _ENTERED * found.sum((1, 2))
                if bool(new.any()):
                    self._remember(session, t, found[new][: self.most - len(session.obj_ids)])
                    logits = self._followed(session, frame, t)
            _forget(session, t, self.reach)
            large = interpolate(logits[:, None], (h, w), mode="bilinear", align_corners=False)
            ids.append(painted(large[:, 0]))
        return torch.stack(ids).to(video.device)

    def _remember(self, session: Sam2VideoInferenceSession, t: int, masks: Tensor) -> None:
        """Ask for ``masks`` ``[k, s, s]`` of frame ``t`` to be followed, under the next ids."""
        large = (interpolate(masks[:, None].float(), (self.side, self.side), mode="bilinear") >= 0.5).float()
        first = len(session.obj_ids) + 1
        for k, mask in enumerate(large):
            session.add_mask_inputs(session.obj_id_to_idx(first + k), t, mask[None])
        session.obj_with_new_inputs = list(range(first, first + len(masks)))

    def _followed(self, session: Sam2VideoInferenceSession, frame: Tensor, t: int) -> Tensor:
        """Mask logits ``[k, s, s]`` in frame ``t`` of the objects followed so far."""
        size = self.model.prompt_encoder.mask_input_size
        if not session.obj_ids:
            return frame.new_zeros(0, *size)
        logits: Tensor = self.model(inference_session=session, frame=frame, frame_idx=t).pred_masks[:, 0]
        return logits


def _forget(session: Sam2VideoInferenceSession, t: int, reach: int) -> None:
    """Drop what frames after ``t`` do not look at: pictures, masks as large as they, and what was ``reach`` before."""
    session.processed_frames = {}
    for outputs in session.output_dict_per_obj.values():
        for kept in outputs.values():
            if t in kept:
                kept[t]["high_res_masks"] = None
        outputs["non_cond_frame_outputs"].pop(t - reach, None)
