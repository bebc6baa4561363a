"""The gates let through what may be captured and refuse what waits for the device or copies from the host."""

import numpy as np
import pytest
import torch

from dareps.errors import ContractError
from dareps.testing._gates import forbid_host_copies, forbid_host_sync

X = torch.arange(6.0).view(3, 2)
WAITS = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "branch": lambda x: x if x.sum() > 0 else -x,
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "asarray": lambda x: np.asarray(x),
    "cpu": lambda x: x.cpu(),
    "to cpu": lambda x: x.to("cpu"),
    "to device cpu": lambda x: x.to(device="cpu", dtype=torch.float64),
    "dlpack": lambda x: np.from_dlpack(x),
    "mask": lambda x: x[x > 1],
    "mask write": lambda x: x.clone().index_put_((x > 1,), torch.zeros(())),
    "masked_select": lambda x: x.masked_select(x > 1),
    "nonzero": lambda x: x.nonzero(),
    "where": lambda x: torch.where(x > 1),
    "unique": lambda x: torch.unique(x),
    "unique rows": lambda x: torch.unique(x, dim=0),
    "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x),
    "cov": lambda x: torch.cov(x),
    "cholesky": lambda x: torch.linalg.cholesky(torch.eye(2)),
    "svd": lambda x: torch.linalg.svdvals(x),
    "nuclear norm": lambda x: torch.linalg.matrix_norm(x, "nuc"),
    "eigh": lambda x: torch.linalg.eigvalsh(x.T @ x),
    "eig": lambda x: torch.linalg.eigvals(x.T @ x),
    "pinv": lambda x: torch.linalg.pinv(x),
    "matrix_exp": lambda x: torch.linalg.matrix_exp(x.T @ x),
    "repeat": lambda x: torch.repeat_interleave(x, torch.tensor([1, 2, 1]), 0),
    "unfused adam": lambda x: _adam_step(fused=False),
}
COPIES = {
    "tensor": lambda x: x * torch.tensor(2.0),
    "as_tensor": lambda x: x * torch.as_tensor([1.0, 2.0]),
    "new_tensor": lambda x: x * x.new_tensor([1.0, 2.0]),
    "from_numpy": lambda x: x * torch.from_numpy(np.ones(2, dtype=np.float32)),
    "list index": lambda x: x[[0, 2]],
    "to device": lambda x: x.to("meta"),
    "copy_": lambda x: torch.empty(3, 2, device="meta").copy_(x),
}
FINE = {
    "where": lambda x: torch.where(x > 1, x, 0.0),
    "fill": lambda x: x * x.new_full((), 2.0) + torch.zeros(2, device=x.device),
    "gather": lambda x: x[torch.arange(2, device=x.device)],
    "masked_fill": lambda x: x.masked_fill(x > 1, 0),
    "like another": lambda x: x.to(torch.zeros(2)).to(x.device),
    "cast": lambda x: x.to(torch.float64).to(torch.bfloat16),
    "sort": lambda x: x.sort(0).values.median(),
    "qr": lambda x: torch.linalg.qr(x),
    "cholesky without a check": lambda x: torch.linalg.cholesky_ex(torch.eye(2)),
    "fixed repeat": lambda x: torch.repeat_interleave(x, 2, 0),
    "fused adam": lambda x: _adam_step(fused=True),
}


def _adam_step(*, fused):
    weight = torch.nn.Parameter(X.clone())
    weight.grad = X.clone()
    torch.optim.Adam([weight], fused=fused).step()


@pytest.mark.parametrize("name", WAITS)
def test_wait_is_refused(name):
    with pytest.raises(ContractError, match="host synchronisation"), forbid_host_sync():
        WAITS[name](X)


@pytest.mark.parametrize("name", COPIES)
def test_copy_is_refused(name):
    with pytest.raises(ContractError, match="host copy"), forbid_host_copies():
        COPIES[name](X)


@pytest.mark.parametrize("name", FINE)
def test_device_work_passes_both(name):
    with forbid_host_sync(), forbid_host_copies():
        FINE[name](X)


def test_backward_pass_is_watched_too():
    class Peeks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * gradient.sum().item()

    value = Peeks.apply(X.clone().requires_grad_()).sum()
    with pytest.raises(ContractError, match="_local_scalar_dense"), forbid_host_sync():
        value.backward()


def test_gate_opens_again():
    with pytest.raises(ContractError), forbid_host_sync():
        X.sum().item()
    assert X.sum().item() == 15
