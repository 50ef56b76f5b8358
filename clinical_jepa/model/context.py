"""z_t: a few learned queries attend to the tokens of R, the slots of F and reads of S."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, normalize

from clinical_jepa.model.config import ModelConfig
from clinical_jepa.model.encoders.records import delays
from clinical_jepa.model.memory.registers import GENERAL, PER_CODE


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """All that is known of B patients at one instant each.

    ``registers [B, codes * len(PER_CODE) + len(GENERAL)]``; facts: ``vector [B, K, width]``, ``salience [B, K]``
    (-inf for an empty slot), ``age [B, K]`` hours; ``fast [B, H, dk, dv]`` decayed to that instant.
    """

    registers: Tensor
    fact_vector: Tensor
    fact_salience: Tensor
    fact_age: Tensor
    fast: Tensor


class Context(nn.Module):
    """``forward(Remembered) -> z [B, width]`` of zero mean and unit variance in each row."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.code = nn.Parameter(0.5 * torch.randn(config.codes, width))
        self.gate = nn.Parameter(torch.randn(config.codes, width))
        self.register = nn.Linear(len(PER_CODE), width)
        self.general = nn.Linear(len(GENERAL), width)
        self.fact = nn.Linear(width + 3, width)
        self.read = nn.Parameter(torch.randn(config.reads, config.heads, config.key))
        self.reading = nn.Parameter(0.5 * torch.randn(config.reads, width))
        self.content = nn.Linear(config.heads * config.value, width)
        self.queries = nn.Parameter(torch.randn(config.queries, width))
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Sequential(nn.Linear(config.queries * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, known: Remembered) -> Tensor:
        tokens, bias = self._tokens(known)
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        heads = 4  # of the attention
        queries = self.queries.view(-1, heads, self.config.width // heads)
        key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (key, value))
        logit = queries.transpose(0, 1) @ key.mT / (self.config.width // heads) ** 0.5
        read = (logit + bias[:, None, None]).softmax(dim=-1) @ value  # [B, heads, queries, width / heads]
        return layer_norm(self.out(read.transpose(1, 2).flatten(1)), (self.config.width,))

    def _tokens(self, known: Remembered) -> tuple[Tensor, Tensor]:
        """Tokens ``[B, T, width]`` and what is added to their logits: -inf where nothing is known."""
        config, count = self.config, len(known.registers)
        per_code = known.registers[:, : -len(GENERAL)].view(count, config.codes, len(PER_CODE))
        register = self.code + self.gate * self.register(per_code)
        general = self.general(known.registers[:, None, -len(GENERAL) :])
        fact = self.fact(torch.cat([known.fact_vector, delays(known.fact_age)], dim=-1))
        read = torch.einsum("bhkv,rhk->brhv", known.fast, normalize(self.read, dim=-1)).flatten(2)
        tokens = torch.cat([register, general, fact, self.reading + self.content(read)], dim=1)
        unseen = torch.zeros_like(per_code[:, :, 0]).masked_fill(per_code[:, :, 0] == 0, -torch.inf)
        always = tokens.new_zeros(count, config.reads)
        return tokens, torch.cat([unseen, always[:, :1], known.fact_salience, always], dim=1)
