from __future__ import annotations

import pytest
import torch

from clinical_jepa.model.memory.chunked import chunked
from clinical_jepa.model.memory.naive import naive
from clinical_jepa.model.memory.one_step import one_step

F64 = torch.float64


def problem(length: int = 75, *, dtype=F64, seed: int = 0, decay: str = "mixed") -> dict:
    """Random arguments with β up to 2 and gaps from none to "forget everything"."""
    torch.manual_seed(seed)
    b, h, dk, dv = 2, 3, 8, 5
    g = -torch.rand(b, length, h, dtype=F64) * 0.3
    if decay == "extreme":
        g = torch.where(torch.rand(b, length, h) < 0.4, torch.tensor(-100.0, dtype=F64), torch.zeros(1, dtype=F64))
    elif decay == "none":
        g = torch.zeros_like(g)
    elif decay == "mixed":
        g = g - 20 * (torch.rand(b, length, h, dtype=F64) < 0.05)
    raw = {
        "q": torch.nn.functional.normalize(torch.randn(b, length, h, dk, dtype=F64), dim=-1),
        "k": torch.nn.functional.normalize(torch.randn(b, length, h, dk, dtype=F64), dim=-1),
        "v": torch.randn(b, length, h, dv, dtype=F64),
        "beta": torch.rand(b, length, h, dtype=F64) * 1.999,
        "g": g,
        "state": torch.randn(b, h, dk, dv, dtype=F64),
    }
    return {name: x.to(dtype).requires_grad_() for name, x in raw.items()}


def step_by_step(*, q, k, v, beta, g, state):
    outputs = []
    for t in range(k.shape[1]):
        here = slice(t, t + 1)
        o, state = one_step(q=q[:, here], k=k[:, here], v=v[:, here], beta=beta[:, here], g=g[:, here], state=state)
        outputs.append(o)
    return torch.cat(outputs, 1), state


def gap(form, args: dict) -> tuple[float, float]:
    """Largest difference to the definition: of outputs and state, and of gradients relative to their size."""
    twins = {name: x.detach().clone().requires_grad_() for name, x in args.items()}
    results = []
    for function, these in ((naive, args), (form, twins)):
        o, s = function(**these)
        torch.manual_seed(1)
        loss = (o * torch.randn(o.shape, dtype=F64).to(o)).sum() + (s * torch.randn(s.shape, dtype=F64).to(s)).sum()
        results.append((o, s, torch.autograd.grad(loss, list(these.values()))))
    (o1, s1, g1), (o2, s2, g2) = results
    value = max((o1 - o2).abs().max().item(), (s1 - s2).abs().max().item())
    slope = max(((a - b).abs().max() / (1 + a.abs().max())).item() for a, b in zip(g1, g2, strict=True))
    return value, slope


@pytest.mark.parametrize("form", [chunked, step_by_step])
@pytest.mark.parametrize("decay", ["mixed", "extreme", "none"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(F64, 1e-9), (torch.float32, 1e-4)])
def test_forms_agree_in_outputs_state_and_gradients(form, decay, dtype, tolerance) -> None:
    value, slope = gap(form, problem(dtype=dtype, decay=decay))
    assert value < tolerance
    assert slope < tolerance


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64])
@pytest.mark.parametrize("chunk", [1, 7, 32, 64])
def test_the_chunk_does_not_matter(length, chunk) -> None:
    args = problem(length)
    o, s = chunked(**args, chunk=chunk)
    assert o.shape[1] == length
    expected, state = naive(**args)
    assert (s - state).abs().max() < 1e-9
    if length:
        assert (o - expected).abs().max() < 1e-9


@pytest.mark.parametrize("beta", [0.0, 1.0, 2 - 1e-6])
def test_writing_one_key_again_and_again_stays_finite(beta) -> None:
    args = problem(200, dtype=torch.float32, decay="none")
    args["beta"] = torch.full_like(args["beta"], beta)
    args["k"] = args["k"][:, :1].expand_as(args["k"])
    (o, s), (expected, state) = chunked(**args), naive(**args)
    size = 1 + expected.abs().max()  # it swings further at every write: no bound but a slow one
    assert max((o - expected).abs().max(), (s - state).abs().max()) / size < 1e-4


def test_a_split_stream_and_split_gaps_end_in_the_same_state() -> None:
    args = problem(60)
    state = args.pop("state")
    _, whole = chunked(**args, state=state)
    for cut in (1, 13, 32, 59):
        _, half = chunked(**{name: x[:, :cut] for name, x in args.items()}, state=state)
        _, end = chunked(**{name: x[:, cut:] for name, x in args.items()}, state=half)
        assert (end - whole).abs().max() < 1e-9
    silent = {name: x.detach()[:, :2].clone() for name, x in args.items()}
    silent["beta"][:] = 0
    _, twice = naive(**silent, state=state)
    silent["g"] = silent["g"].sum(dim=1, keepdim=True)
    _, once = naive(**{name: x[:, :1] for name, x in silent.items()}, state=state)
    assert (twice - once).abs().max() < 1e-12


def test_an_event_that_does_nothing_changes_no_bit() -> None:
    args = {name: x.detach()[:, :1].float() if name != "state" else x.detach().float() for name, x in problem().items()}
    args["beta"], args["g"] = torch.zeros_like(args["beta"]), torch.zeros_like(args["g"])
    for form in (naive, one_step, chunked):
        assert torch.equal(form(**args)[1], args["state"])


def test_an_outright_forgetting_leaves_only_the_last_write() -> None:
    args = {name: x.detach() for name, x in problem(5).items()}
    args["g"][:] = -1000
    _, s = chunked(**args)
    last = args["beta"][:, -1][..., None] * args["v"][:, -1]
    assert (s - args["k"][:, -1][..., None] * last[..., None, :]).abs().max() < 1e-12


def test_one_step_takes_one() -> None:
    with pytest.raises(ValueError, match="one event"):
        one_step(**problem(2))
