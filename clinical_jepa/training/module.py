"""The Lightning module: objectives with their weights, the slow teacher, and signs of collapse."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from clinical_jepa.model import monitors
from clinical_jepa.model.network import WorldModel
from clinical_jepa.model.objectives import ema_l1, grounded, inverse, vicreg
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.training import forward
from clinical_jepa.training.config import TrainConfig
from clinical_jepa.training.data import Batch

ENOUGH = 12  # patients in a batch for a rank to mean anything
LOOK = 10  # steps between looks at the states, and between lines of the log


class Pretraining(pl.LightningModule):
    """Weights of 0 leave an objective out; with none of the learning ones left it refuses to start."""

    def __init__(self, network: WorldModel, config: TrainConfig) -> None:
        super().__init__()
        if config.latent_weight + config.grounding_weight + config.presence_weight <= 0:
            raise TrainingFailed("no objective has a weight above 0: there is nothing to learn. Nothing was written")
        self.network, self.config = network, config
        self.teacher = forward.Teacher(network)

    def losses(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Each objective by name, unweighted, and z ``[B, width]``."""
        network, config = self.network, self.config
        here = forward.context(network, batch)
        hidden = forward.predict(network, here.z, forward.plans(network, batch))
        values, presence = forward.grounded(network, hidden)
        found = {
            "grounding": grounded.values(values, batch.target, batch.seen),
            "presence": grounded.presence(presence, batch.seen),
            "variance": vicreg.variance(here.z),
            "covariance": vicreg.covariance(here.z),
        }
        target, there = self.teacher(batch)
        window = network.predictor.window(hidden)
        found["latent"] = ema_l1.ema_l1(window, target, there)
        pair = torch.cat([here.z[:, None].expand_as(target), target], dim=-1)
        found["inverse"] = inverse.inverse(network.inverse(pair), batch.treated, there)
        if config.rollout_weight > 0:
            found["rollout"] = self._rollout(batch, here, window)
        return found, here.z

    def _rollout(self, batch: Batch, here: forward.Context, window: Tensor) -> Tensor:
        """From the first predicted window on: the later ones must be as predictable as from the state itself."""
        hours = self.config.model.horizons_h
        later = forward.roll(self.network, here, window[:, 0], hours[0])
        left = torch.tensor(hours[1:]) - hours[0]
        shape = (len(later), len(hours) - 1)
        plan = self.network.predictor.unknown(*shape)
        hidden = self.network.predictor(later, plan, left)
        values, _ = forward.grounded(self.network, hidden)
        again = grounded.values(values, batch.target[:, 1:], batch.seen[:, 1:])
        return again + smooth_l1_loss(self.network.predictor.window(hidden), window[:, 1:].detach())

    def training_step(self, batch: Batch, number: int) -> Tensor:
        found, z = self.losses(batch)
        total = self._weighted(found)
        if not torch.isfinite(total):
            raise TrainingFailed(f"the loss is not a number at step {self.global_step}; lower the learning rate")
        self.log_dict(
            {f"train/{name}": value.detach() for name, value in found.items()} | {"train/total": total.detach()}
        )
        if (self.global_step + 1) % LOOK == 0:
            self._watch(z)
        return total

    def _weighted(self, found: dict[str, Tensor]) -> Tensor:
        return sum((getattr(self.config, f"{name}_weight") * value for name, value in found.items()), torch.zeros(()))

    def on_before_zero_grad(self, optimizer: Any) -> None:
        done = self.global_step / max(self.config.steps, 1)
        momentum = 1 - (1 - self.config.momentum) * (math.cos(math.pi * min(done, 1.0)) + 1) / 2
        ema_l1.follow(self.teacher.parts, self.network.parts, momentum)
        ema_l1.follow(self.teacher.mixer, self.network.arrivals.mixer, momentum)

    def validation_step(self, batch: Batch, number: int) -> None:
        found, z = self.losses(batch)
        found["action_gap"] = self._action_gap(batch, z)
        self.log_dict({f"val/{name}": value for name, value in found.items()}, batch_size=len(z))

    def _action_gap(self, batch: Batch, z: Tensor) -> Tensor:
        """How much worse values are predicted under another patient's treatments: above 0 where plans are used."""
        plan = forward.plans(self.network, batch)

        def loss(told: Tensor) -> Tensor:
            values, _ = forward.grounded(self.network, forward.predict(self.network, z, told))
            return grounded.values(values, batch.target, batch.seen)

        return loss(plan.roll(1, dims=0)) - loss(plan)

    def _watch(self, z: Tensor) -> None:
        """Stops a run whose states have become alike; needs enough patients in the batch to tell."""
        if len(z) < ENOUGH:
            return
        rank, spread = monitors.rankme(z), monitors.spread(z)
        self.log_dict({"monitor/rankme": rank, "monitor/spread": spread})
        if self.global_step >= self.config.warm_up and (rank < self.config.collapse_rank or spread < 1e-3):
            raise TrainingFailed(
                f"the states collapsed at step {self.global_step}: effective rank {rank:.2f} of {z.shape[1]}, "
                f"spread {spread:.4f}. No model was written. Raise variance_weight or grounding_weight, or lower the "
                "learning rate"
            )

    def configure_optimizers(self) -> Any:
        plain = [p for p in self.network.parameters() if p.dim() < 2]
        heavy = [p for p in self.network.parameters() if p.dim() >= 2]
        groups = [{"params": heavy, "weight_decay": self.config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to 2%."""
        rise = (step + 1) / max(self.config.warm_up, 1)
        done = min(step / max(self.config.steps, 1), 1.0)
        return min(rise, 0.02 + 0.98 * (math.cos(math.pi * done) + 1) / 2)
