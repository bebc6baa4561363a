"""Torchvision's vision transformers as stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.models.vision_transformer import EncoderBlock, VisionTransformer

from dareps.encoders._shapes import Shape
from dareps.errors import ConfigError

WHERE: Final = "encoder torchvision"
SMALL: Final = 0.02
"""Standard deviation of places as they begin."""
DEPTH: Final[Mapping[str, int]] = {"vit_b_16": 12, "vit_b_32": 12, "vit_l_16": 24, "vit_l_32": 24, "vit_h_14": 32}


class Patches(nn.Module):
    """Images (n, c, h, w) -> vectors of their patches behind that of the class token, with places: (n, 1 + p, d)."""

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.conv_proj = net.conv_proj
        self.class_token = net.class_token
        self.pos_embedding = net.encoder.pos_embedding

    def reset_parameters(self) -> None:
        """Draw the places; the token begins at 0."""
        nn.init.zeros_(self.class_token)
        nn.init.normal_(self.pos_embedding, std=SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        vectors = self.conv_proj(x).flatten(2).transpose(1, 2)
        token = self.class_token.expand(len(vectors), -1, -1)
        placed: Tensor = torch.cat([token, vectors], dim=1) + self.pos_embedding
        return placed


class SelfAttention(nn.Module):
    """Torchvision's attention, with the names of its weights, written out in plain products: (n, t, d) -> the same.

    So it maps over stacked seeds and has forward and second derivatives, and is drawn by a seed as all layers are.
    """

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight, self.in_proj_bias = (
            nn.Parameter(torch.empty(3 * width, width)),
            nn.Parameter(torch.empty(3 * width)),
        )
        self.out_proj = nn.Linear(width, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw as torch's own does."""
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.in_proj_bias)

    def forward(self, x: Tensor) -> Tensor:
        """New vectors of x."""
        joined = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        parts = joined.view(*x.shape[:-1], 3, self.heads, -1)
        query, key, value = (part.transpose(-2, -3) for part in parts.unbind(-3))
        fit = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        result: Tensor = self.out_proj((fit.softmax(-1) @ value).transpose(-2, -3).flatten(-2))
        return result


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x)): (n, t, d) -> the same."""

    def __init__(self, own: EncoderBlock) -> None:
        super().__init__()
        width = own.ln_1.normalized_shape[0]
        self.ln_1, self.self_attention = own.ln_1, SelfAttention(own.num_heads, width)
        self.ln_2, self.mlp = (
            own.ln_2,
            nn.Sequential(*(layer for layer in own.mlp if not isinstance(layer, nn.Dropout))),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        x = x + self.self_attention(self.ln_1(x))
        result: Tensor = x + self.mlp(self.ln_2(x))
        return result


class ClassToken(nn.Module):
    """The class token's vector, normalised: (n, 1 + p, d) -> (n, d)."""

    def __init__(self, ln: nn.Module) -> None:
        super().__init__()
        self.ln = ln

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        result: Tensor = self.ln(x[:, 0])
        return result


def transformer_stages(model: str, shape: Shape) -> dict[str, nn.Module]:
    """The parts of a network for images of a shape, its classifier left out.

    Raises:
        ConfigError: The images are no squares of whole patches in three channels.
    """
    patch = int(model.rpartition("_")[2])
    if shape[0] != 3 or shape[1] != shape[2] or shape[1] % patch:
        what = f"{model} reads squares of whole patches of {patch} pixels in three channels"
        raise ConfigError(WHERE, what, shape, "Set the data's side or crop to a multiple.")
    return stages_of(models.get_model(model, image_size=shape[1]))


def stages_of(net: VisionTransformer) -> dict[str, nn.Module]:
    """The parts of a network, one after the other."""
    blocks = {f"block{number}": Block(block) for number, block in enumerate(net.encoder.layers, start=1)}
    return {"patches": Patches(net), **blocks, "token": ClassToken(net.encoder.ln)}


def names_of(model: str) -> dict[str, str]:
    """Torchvision's beginnings of names -> those of the stages."""
    names = {"pos_embedding": "patches.pos_embedding", "ln": "token.ln"}
    for number in range(DEPTH[model]):
        old, new = f"layers.encoder_layer_{number}", f"block{number + 1}"
        # Dropout between the dense layers is left out; files call these by one of two names.
        dense = {"0": "0", "3": "2", "linear_1": "0", "linear_2": "2"}
        names |= {old: new, **{f"{old}.mlp.{layer}": f"{new}.mlp.{place}" for layer, place in dense.items()}}
    names |= {f"encoder.{old}": new for old, new in names.items()}
    return {**names, **{name: f"patches.{name}" for name in ("conv_proj", "class_token")}}
