"""Attention and what transformers need around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017), ``dim`` features in all heads together."""

    def __init__(self, features: int, heads: int, dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(features, 3 * dim)
        self.out = nn.Linear(dim, features)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, features] to the same."""
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result


class PatchEmbedding(nn.Module):
    """Cuts an image into square patches and maps each to a token (Dosovitskiy et al. 2021)."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, dim, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to [batch, patches, dim], row by row."""
        tokens: Tensor = self.project(x)
        return tokens.flatten(2).transpose(1, 2)


class ClassToken(nn.Module):
    """Puts a learned token before the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, 1, features))
        nn.init.trunc_normal_(self.token, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, features] to [batch, tokens + 1, features]."""
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)


class PositionEmbedding(nn.Module):
    """Adds a learned vector to each token by its place."""

    def __init__(self, tokens: int, features: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(1, tokens, features))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, features] to the same."""
        return x + self.position
