"""FDU-MTL: reviews of sixteen domains as text, the benchmark of adversarial multi-task learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dareps.data._base import DomainRows, Fitted, Origin, RemoteFile
from dareps.data._feature_names import Auto, RowNorm, Transform
from dareps.data._feature_set import FeatureSet
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np

_URL = "https://raw.githubusercontent.com/ccsasuke/man/b57b4c14340db1ca7bffb5d9737b7c2601dc8df2/data/fdu-mtl/"
_SHA256 = {
    "apparel.train": "589702d71eded8ca23907acf6e434f203c8c6feb09737106f77f03707641ffc3",
    "apparel.test": "8e591ec14fa0e3d26837b9a40c99d3a93b49f47e7a3fbe4d0afe1b4e1dd45439",
    "baby.train": "0d884186f3aef0e12dafac0a875887fe631de0df992b15158ab177763882bf57",
    "baby.test": "8763bb4b8bbf83b93b6aab03706719fc742fb7d89830a6bd95ea1c2490ea58f7",
    "books.train": "40c4c5971165b9e0a509a60472c3bf06c8e1430d4944833141eb3c34d986b65e",
    "books.test": "b451ac03e48b599bf35dd1a450158389e1ac9018950e95c631053ac14a5b10ad",
    "camera_photo.train": "425bf93c303b2f38d2f53649508ea9e55d0114679ecb00fda5c2c15ebbe9e708",
    "camera_photo.test": "3fdea0837d6c41f04720dce8d2e690bbdeb5019ecac749f8f38472ac1dcfa439",
    "dvd.train": "47334240d9cef76ac5f15a10f9082c3d2c6e7f9a9bb0478a3800ede2a0300771",
    "dvd.test": "762e6e030892375eda4f211be58624a3bb6a07c966901c79b803837d21fca4b5",
    "electronics.train": "bb2f28c4a20e3d075dd71ff049970bd445f4d47bcc8404a68eb03850413a8da7",
    "electronics.test": "a4d2e7d2a5b8b501a6611e45e1b241aa0d601388b79265cfc94c203cb52f8b8c",
    "health_personal_care.train": "384f1ec3d76a2f755844cac4bd7725b86bc79910dae60fc33f133e380f827b4a",
    "health_personal_care.test": "07f289177da7ebe71f1ac2ee3d5a25f190913e2a11116f0fb55862e01b60a331",
    "imdb.train": "16dd91ee7aebde130cfeb4d1c58bfe221ad87f1862fdb8ae694693eec3432caa",
    "imdb.test": "dc708b7338157a6be56a1ded26abd97f82284d0e736876a6b833ad59e8a2cd53",
    "kitchen_housewares.train": "df5c9e8473b084a6b252dfbb5e074adcaacb9638a882fee3f20d62d747f45d6f",
    "kitchen_housewares.test": "86bcc015f7cfa773880951830ac6161dc2b8717e8a69773ca11a5bd6529b2020",
    "magazines.train": "d4805a9f094c1c7befa64bc42ea846261b1290a2fd120c46f45c9e89faf782ae",
    "magazines.test": "620ecd0ccd7b7f73483b8cdcef5ca07dff92e2d57c9cf4b6e9f7d669a681f6c3",
    "MR.train": "a6f222085a50061dd560c3beafc968679abae74683e3d18a66b619c5e2d178dc",
    "MR.test": "82ec2a6d570978d173240dfd655c25e151761d7d0ace365725745a361e6fabea",
    "music.train": "f0b41243475c16391a02e91d87710ed87d68927d4d77f526a3d2369a98ac572e",
    "music.test": "54a157c56930b9e587b6b955fe4b2e3258d2f70d0d58ccbbf40a4bfd846ee204",
    "software.train": "a050cb3ea22b94b21ce70acff3a23eabd1f39307bd862d6c0cc23170eb4830f4",
    "software.test": "3b92617a5b3ad618b7aaab98546d49c2a69f46dedbceb4ec14dee1cbb4ff02d3",
    "sports_outdoors.train": "062ac0e2fb04a81c1f06f15b219634810a323a2ee187750e2f479030ebad0326",
    "sports_outdoors.test": "77394d7c91fbc69cc16bfaf79f1f945999fe2d8e0fc536f1f79d17089e611f49",
    "toys_games.train": "bb8404d3b48ab02bca2a75bb1e245297aac36b8143a81549f6485b4c2d24dd10",
    "toys_games.test": "6ee304a53f25697ee96bcb60fe07cc36d282ef343c3e0f8ae09df669ec39b116",
    "video.train": "2867b3e5fffc44132aa61ff49dd608eeacc503b2c9c2133680f0cb4a7a258f3e",
    "video.test": "8de7a49ee3001409c9049b1f52949d78c7875cb92e031b43f5cef681dfd341e4",
}


def _file(name: str, sha256: str) -> RemoteFile:
    published, digest = name.replace(".", ".task."), f"sha256:{sha256}"
    return RemoteFile(f"{_URL}{published}", f"fdu_mtl/{published}", digest, digest)


class FduMtl(FeatureSet):
    """Reviews of fourteen kinds of goods (Amazon) and two sets of films (IMDB, Rotten Tomatoes), positive or negative.

    1600 train rows per domain (1500 to 1598 in five), the last 200 of which are the usual validation rows, and 400 test
    rows. Rows are texts, tokenised and, but for a few, in small letters. They go into the network as counts of the
    `features` words, and pairs of words that follow each other, which stand in most of the source and unlabelled target
    train rows: no word is known from validation or test rows. What is done to counts is as for other feature sets.

    Some test rows repeat a train row of their own domain: 169 of 400 in magazines, 99 in video, 72 in camera_photo, 62
    in software, 30 or fewer in others; papers leave them in. `repeats: drop` takes such rows out of the train rows.
    """

    domains = (
        "apparel",
        "baby",
        "books",
        "camera_photo",
        "dvd",
        "electronics",
        "health_personal_care",
        "imdb",
        "kitchen_housewares",
        "magazines",
        "mr",
        "music",
        "software",
        "sports_outdoors",
        "toys_games",
        "video",
    )
    tasks = (Task("sentiment", "classification", 2, ("negative", "positive")),)
    files = tuple(_file(name, sha256) for name, sha256 in _SHA256.items())
    origin = Origin(
        "Liu, Qiu & Huang, from Amazon, IMDB and Rotten Tomatoes; files published by X. Chen",
        "reviews: for research, rights with their authors; files: MIT",
        "Liu, Qiu & Huang, Adversarial Multi-task Learning for Text Classification, ACL 2017",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "mlp", "width": 64, "dropout": 0.5},
        "normalise": "joint",
        "steps": 600,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.001},
    }

    transform: Transform | Auto = "tfidf"
    row_norm: RowNorm | Auto = "l2"
    features: int = Field(10000, ge=1)
    """How many words and pairs are counted."""
    pairs: bool = True
    """Whether pairs of words that follow each other are counted as well."""
    repeats: Literal["keep", "drop"] = "keep"
    """Whether train rows stay whose text is also that of a test row of any domain."""

    def rows(self, domain: str) -> DomainRows:
        """Texts (n, 1) and sentiment (n,) of a domain, with the official validation and test rows."""
        from dareps.data._fdu_mtl import domain_rows

        return domain_rows(self.name, domain, repeats=self.repeats == "keep")

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Choose the vocabulary from the texts of all domains, then fit what is done to counts."""
        from dareps.data._text import fit_vocabulary

        texts = [*(rows.x for rows in source.values()), *target_x.values()]
        vocabulary = fit_vocabulary(f"data {self.name}", texts, self.features, self.pairs)
        counted = {domain: replace(rows, x=vocabulary.counts(rows.x)) for domain, rows in source.items()}
        return vocabulary.around(super().fit(counted, {name: vocabulary.counts(x) for name, x in target_x.items()}))

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._text import restore_vocabulary

        return restore_vocabulary(f"data {self.name}", state).around(super().restore(state))

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' texts and labels."""
        from dareps.data._fdu_mtl import checksum

        return checksum(self.name, domains)
