"""Amazon product reviews as bags of words: the sentiment benchmark of four domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import DomainRows, Origin, RemoteFile
from dareps.data._feature_set import FeatureSet
from dareps.types import Task

_URL = (
    "https://raw.githubusercontent.com/GRAAL-Research/domain_adversarial_neural_network/"
    "74eec5e0ae06bd6614bce048abba492c16a633e3/data/"
)
_SHA256 = {
    "books_train": "317f9a2ec34b81de770b63a84d8c5cc2dc16bd0be6e079d2ff5b5bad5213ea19",
    "books_test": "fe4605c7dcf0e0a9410fd2a32f247caaf9abb352cc6e4c3e0f400853163ad9c4",
    "dvd_train": "95f602aa08bf6b55758f7b0b18df3882fe30acb11987ee60b6b4bb3c44cba733",
    "dvd_test": "4fe1b1a15010f78d8d0c49fe362d35fd4677463a45f1ac02a9f410ae1e638060",
    "electronics_train": "7d0061f03ff3827e4f8036b051b5e5828fddc0cd115aa5b212cd28d624dc14e4",
    "electronics_test": "641783bc941839c3a111d3488a1b7e3bd820a61ec14a129e7429b47703aa961d",
    "kitchen_train": "a70b5ebfe1413e0e16280360905f5c3b64389c435cd20c0165dc9d7f293b31b5",
    "kitchen_test": "e1502b97a824eb12314be4447394fa736fecb781c0724e6529cd6733ac7ff6d8",
}


def _file(name: str, sha256: str) -> RemoteFile:
    digest = f"sha256:{sha256}"
    return RemoteFile(f"{_URL}{name}.svmlight", f"amazon_reviews/{name}.svmlight", digest, digest)


class AmazonReviews(FeatureSet):
    """Reviews of books, DVDs, electronics and kitchen ware, positive (4-5 stars) or negative, as 5000 counts.

    Unigrams and bigrams; 2000 train rows per domain, half of them positive, and 3586 to 5945 official test rows.
    """

    domains = ("books", "dvd", "electronics", "kitchen")
    tasks = (Task("sentiment", "classification", 2, ("negative", "positive")),)
    files = tuple(_file(name, sha256) for name, sha256 in _SHA256.items())
    origin = Origin(
        "Multi-Domain Sentiment Dataset, as prepared by Chen et al. (2012) and published with DANN by GRAAL",
        "reviews: for research, rights with their authors; files: BSD 2-clause",
        "Blitzer, Dredze & Pereira, ACL 2007; Ganin et al., JMLR 17, 2016",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "mlp", "width": 64, "dropout": 0.5},
        "normalise": "joint",
        "steps": 400,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.001},
    }

    def rows(self, domain: str) -> DomainRows:
        """Counts (n, 5000) float32 and sentiment (n,) of a domain, with its official test rows."""
        from dareps.data._svmlight import dense_rows

        return dense_rows(self.name, "sentiment", domain)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' counts and labels."""
        from dareps.data._svmlight import domain_checksum

        return domain_checksum(self.name, domains)
