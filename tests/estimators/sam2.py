"""A tiny SAM 2 of the real classes, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Sam2VideoConfig, Sam2VideoModel

SIDE, WIDE = 64, 128  # of the input; the memory's pointers need more channels than its 64


def tiny_sam2() -> Sam2VideoModel:
    """Weights large enough for masks to depend on the picture and the point."""
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2], "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3], "window_positional_embedding_background_size": [2, 2],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": WIDE,
    }  # fmt: skip
    config = Sam2VideoConfig(
        vision_config=vision, image_size=SIDE, num_maskmem=3, max_object_pointers_in_encoder=4,
        prompt_encoder_config={"hidden_size": WIDE, "image_size": SIDE, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": WIDE, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
        memory_attention_hidden_size=WIDE, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4], memory_encoder_hidden_size=WIDE, mask_downsampler_embed_dim=WIDE,
        memory_fuser_embed_dim=WIDE, memory_fuser_intermediate_dim=32, memory_fuser_num_layers=1,
    )  # fmt: skip
    torch.manual_seed(0)  # its embedding of places is drawn, and no parameter
    model = Sam2VideoModel(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, (2.0 / parameter[0].numel()) ** 0.5, generator=generator)
    return model.eval()


def save_sam2(folder: Path) -> None:
    tiny_sam2().save_pretrained(folder)
