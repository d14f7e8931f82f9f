"""What people write when they want accelerators, read into what is wanted; and whether a product is one of those. Pure.

One text says everything, because one text is what KFP's IR has for it (`set_accelerator_type`, also known only at run time):

    nvidia.com/gpu                     a resource of a vendor, whatever the product
    H100   NVIDIA_TESLA_T4   NVIDIA-H100-80GB-HBM3   A100-80GB
    H100|A100-80GB                     the first that there is, in this order
    MIG 1g.10gb   nvidia.com/mig-1g.10gb
    any memory>=40GiB                  whatever has so much memory

What a cluster has, and how its nodes are labelled, is kubernetes/accelerators.py's. Called by executors and CheckPlacement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

ANNOTATION: Final = "headrace.io/accelerator"  # of a task: what its accelerators are to be, besides their resource
NVIDIA: Final = "nvidia.com/gpu"
AMD: Final = "amd.com/gpu"
TPU: Final = "google.com/tpu"
GAUDI: Final = "habana.ai/gaudi"
INTEL: Final = "gpu.intel.com/i915"
RESOURCES: Final = (NVIDIA, AMD, TPU, GAUDI, INTEL)
MIG_RESOURCE: Final = "nvidia.com/mig-"
ANY: Final = frozenset({"any", "gpu", "gpus", "accelerator"})
MIG: Final = re.compile(r"(?:(?:nvidia\.com/)?mig[-_ ])?(\d+g\.\d+gb(?:\.me)?)", re.IGNORECASE)
MEMORY: Final = re.compile(r"memory\s*(?:>=|=)\s*([0-9.]+)\s*([KMGT]i?)?B?$", re.IGNORECASE)
_SCALE: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
# Vendors' and brands' names say nothing that the product's does not.
_NOISE: Final = frozenset(
    {"NVIDIA", "TESLA", "GEFORCE", "QUADRO", "AMD", "INSTINCT", "RADEON", "INTEL", "HABANA", "GOOGLE", "GPU", "CLOUD"}
)
_VENDORS: Final = (
    (re.compile(r"MI\d{2,3}[A-Z]*|RX|W\d{4}"), AMD),
    (re.compile(r"TPU|V\d+E|V5P|V6E"), TPU),
    (re.compile(r"GAUDI\d?|HPU|HL"), GAUDI),
    (re.compile(r"FLEX|MAX|ARC"), INTEL),
)
# What a card is sold as having is more than what its driver reports: 16 GB are 15,360 MiB, 80 GB are 81,559.
TOLERANCE: Final = 0.93
MIB: Final = 2**20
# GiB, where no label says it and the product's name does not either.
_MEMORY: Final = {
    **dict.fromkeys(("T4", "P100", "V100"), 16),
    **dict.fromkeys(("A10", "A10G", "A30", "L4"), 24),
    **dict.fromkeys(("A40", "L40", "L40S", "A6000"), 48),
    "P4": 8,
    "K80": 12,
    "A100": 40,
    "H100": 80,
    "GH200": 96,
    "H200": 141,
    "B200": 180,
    "MI210": 64,
    "MI250": 128,
    "MI250X": 128,
    "MI300X": 192,
    "MI325X": 256,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accelerators will do. `resource` "" = any vendor's; `products` none = any, else the first are liked best;
    `memory` in bytes on each, 0 = any; `mig` is a profile such as 1g.10gb, "" = whole ones.
    """

    resource: str = ""
    products: tuple[str, ...] = ()
    memory: int = 0
    mig: str = ""

    def __str__(self) -> str:
        """As in a sentence: `H100 or A100-80GB with 40 GiB`."""
        named = " or ".join(self.products) or (f"MIG {self.mig}" if self.mig else self.resource or "any accelerator")
        if self.products and self.mig:
            named += f" MIG {self.mig}"
        return named + (f" with {gib(self.memory)}" if self.memory else "")


def read(text: str) -> Wanted:
    """What TEXT wants. Whatever it is, it is read as something: a product that nobody has is found to be missing later."""
    resource, mig, memory = "", "", 0
    products: list[str] = []
    found = MEMORY.search(text)
    if found is not None:
        memory = int(float(found[1]) * _SCALE[(found[2] or "").lower()])
        text = text[: found.start()]
    for part in text.split("|"):
        words: list[str] = []
        for word in part.split():
            if "/" in word and MIG.fullmatch(word) is None:
                resource = word
            else:
                words.append(word)
        name = " ".join(words)
        profile = MIG.search(name)
        if profile is not None:
            mig = profile[1].lower()
            name = (name[: profile.start()] + name[profile.end() :]).strip(" -_")
        if name and name.lower() not in ANY:
            products.append(name)
    if mig and not resource:
        resource = NVIDIA
    return Wanted(resource, tuple(dict.fromkeys(products)), memory, mig)


def tokens(product: str) -> frozenset[str]:
    """What tells products apart: NVIDIA-H100-80GB-HBM3 → H100, 80GB, HBM3."""
    parts = re.split(r"[-_\s/]+", re.sub(r"(?i)RTX(?=\d)", "RTX ", product).upper())
    return frozenset(f"{part}B" if re.fullmatch(r"\d+G", part) else part for part in parts if part) - _NOISE


def is_one(name: str, product: str) -> bool:
    """Whether PRODUCT (of a label) is what NAME (of a task) means. A slice of one is not, unless it is named."""
    named, has = tokens(name), tokens(product)
    return bool(named) and named <= has and ("MIG" in named or "MIG" not in has)


def vendor(products: Sequence[str]) -> str:
    """The resource that products are counted in, by their names."""
    for name in products:
        for pattern, resource in _VENDORS:
            if any(pattern.fullmatch(token) for token in tokens(name)):
                return resource
    return NVIDIA


def memory_of(product: str) -> int:
    """Bytes on one, as its name tells; 0 = it does not."""
    has = tokens(product)
    for token in has:
        if re.fullmatch(r"\d+GB", token):
            return int(token[:-2]) * 2**30
    return next((size * 2**30 for name, size in _MEMORY.items() if name in has), 0)


def enough(memory: int, wanted: int) -> bool:
    """Whether so many bytes are as much as is sold as WANTED."""
    return memory >= wanted * TOLERANCE


def is_accelerator(resource: str) -> bool:
    """Whether a node's resource is one that this module counts."""
    return resource in RESOURCES or resource.startswith((MIG_RESOURCE, "gpu.intel.com/"))


def nearest(name: str, products: Collection[str]) -> str:
    """The product that NAME may be a misspelling of; "" = none comes near."""
    from difflib import SequenceMatcher

    def likeness(product: str) -> float:
        pairs = [SequenceMatcher(None, a, b).ratio() for a in tokens(name) for b in tokens(product)]
        return max(pairs, default=0.0)

    best = max(products, key=likeness, default="")
    return best if best and likeness(best) >= 0.7 else ""


def gib(amount: int) -> str:
    """An amount of memory in a sentence."""
    return f"{amount / 2**30:.4g} GiB"
