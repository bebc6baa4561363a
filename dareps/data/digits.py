"""Handwritten digits: MNIST, USPS, and MNIST-M, which is MNIST blended with photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dareps.data._base import Dataset, DomainRows, Fitted, Origin, RemoteFile
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_USPS = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"
_BSDS = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"


def _mnist(name: str, md5: str, sha256: str) -> RemoteFile:
    return RemoteFile(f"{_MNIST}{name}.gz", f"MNIST/raw/{name}", f"md5:{md5}", f"sha256:{sha256}", "gzip")


class Digits(Dataset):
    """Digits of 28x28 pixels: `mnist` (60000/10000), `usps` (7291/2007, enlarged from 16x16), `mnist_m` (60000/10000).

    `mnist_m` is built from MNIST and the BSDS500 train photographs as Ganin & Lempitsky describe: per digit a keyed
    crop of 28x28, and of both the absolute difference in each colour. Rows are uint8, one channel, or three in every
    domain of a split that holds `mnist_m`.
    """

    domains = ("mnist", "usps", "mnist_m")
    tasks = (Task("digit", "classification", 10, tuple("0123456789")),)
    files = (
        _mnist(
            "train-images-idx3-ubyte",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        _mnist(
            "train-labels-idx1-ubyte",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        _mnist(
            "t10k-images-idx3-ubyte",
            "9fb629c4189551a2d022fa330f9573f3",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        _mnist(
            "t10k-labels-idx1-ubyte",
            "ec29112dd5afa0611ce80d1b7f02629c",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        RemoteFile(f"{_USPS}usps.bz2", "USPS/usps.bz2", "md5:ec16c51db3855ca6c91edd34d0e9b197"),
        RemoteFile(f"{_USPS}usps.t.bz2", "USPS/usps.t.bz2", "md5:8ea070ee2aca1ac39742fdd1ef5ed118"),
        RemoteFile(_BSDS, "bsds500/train", kind="tar", members="BSR/BSDS500/data/images/train", count=200),
    )
    origin = Origin(
        "MNIST: LeCun, Cortes & Burges; USPS: US Postal Service, in LIBSVM's format; BSDS500: UC Berkeley",
        "MNIST: CC BY-SA 3.0; USPS: none stated, for research; BSDS500: non-commercial research",
        "LeCun et al., Proc. IEEE 86, 1998; Hull, PAMI 16, 1994; Ganin & Lempitsky, ICML 2015",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "digit_cnn"},
        "normalise": "per_domain",
        "steps": 3000,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.001},
    }

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 1 or 3, 28, 28) uint8 and digits (n,) of a domain, with its official test rows."""
        from dareps.data._images import read_domain

        (x, y), (test_x, test_y) = (read_domain(domain, self.name, part) for part in ("train", "test"))
        return DomainRows(x, {"digit": y}, test_x, {"digit": test_y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Settle the number of channels: the most that any domain of the split has."""
        import numpy as np

        shapes = [rows.x.shape for rows in source.values()] + [x.shape for x in target_x.values()]
        return self.restore({"channels": np.array([max(shape[1] for shape in shapes)], dtype=np.int64)})

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that repeats grey rows to the split's number of channels."""
        from dareps.data._images import Channels

        return Fitted(state, Channels(int(state["channels"][0])))

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' pixels and labels."""
        from dareps.data._images import domain_checksum
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in domain_checksum(domain, self.name)))
