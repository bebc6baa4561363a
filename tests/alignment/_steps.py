"""What a step asks of a loss, gradients included, shared by the tests of the losses."""

import torch

from dareps.testing._gates import forbid_host_copies, forbid_host_sync


def fits_into_a_step(loss, *inputs, moving=1):
    """No wait, no copy from the host, and stacked = loop, for the gradient on the first `moving` inputs."""
    leaves = [x.clone().requires_grad_() if i < moving else x for i, x in enumerate(inputs)]
    with forbid_host_sync(), forbid_host_copies():
        loss(*leaves).backward()
    slope = torch.func.grad(loss, argnums=tuple(range(moving)))
    others = [0.7 * x + 0.1 if i < moving else x.flip(0) for i, x in enumerate(inputs)]
    together = torch.vmap(slope)(*(torch.stack(both) for both in zip(inputs, others, strict=True)))
    for copy, alone in enumerate((slope(*inputs), slope(*others))):
        for stacked, single in zip(together, alone, strict=True):
            torch.testing.assert_close(stacked[copy], single, rtol=1e-8, atol=1e-12)
