"""Builds the images of services/Dockerfile with docker, podman or buildah; `make images` calls it.

An image that was built of the same content, for the same bases, is not built again: a label carries the digest of what went
into it. `tests/cluster` calls `build` with bases that it makes itself, where there is no registry.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("apiserver", "scheduler", "persistence", "cache", "companion")
FOLDERS = ("protos", "sdk", "services", "build/shim")
LABEL = "io.headrace.content"
INDEX = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_DEFAULT_TIMEOUT")
CERTIFICATES = "/etc/ssl/certs"  # of this machine: a package index behind its own authority is reached as from here


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds images, with its options before the verb."""

    argv: Sequence[str]
    build_options: Sequence[str] = ()

    @classmethod
    def found(cls, name: str | None = None) -> Engine:
        """The engine NAME, or the first that is installed."""
        names = [name] if name else ["docker", "podman", "buildah"]
        for one in names:
            if shutil.which(one):
                return cls.buildah() if one == "buildah" else cls([one])
        raise SystemExit(f"none of {', '.join(names)} is installed; install one that builds images")

    @classmethod
    def buildah(cls, storage: Path | None = None, driver: str = "overlay") -> Engine:
        """buildah without a daemon and without namespaces of its own; its images lie in STORAGE."""
        place = [] if storage is None else ["--root", f"{storage}/images", "--runroot", f"{storage}/run"]
        options = ["--isolation", "chroot", "--network", "host", "--layers", "-v", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        return cls(["buildah", "--storage-driver", driver, *place], options)

    def run(self, *arguments: str, quiet: bool = False) -> str:
        """What the engine prints; raises with it where it fails."""
        done = subprocess.run([*self.argv, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"{' '.join([*self.argv, *arguments])}\n{done.stdout}{done.stderr}")
        if not quiet:
            sys.stderr.write(done.stdout)
        return done.stdout

    def label_of(self, image: str) -> str:
        """The content's digest of an image that is there, or ''."""
        template = "{{index .OCIv1.Config.Labels" if self.argv[0] == "buildah" else "{{index .Config.Labels"
        kind = ["inspect", "--type", "image"]
        command = [*self.argv, *kind, "--format", f'{template} "{LABEL}"}}}}', image]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""


def sources(service: str) -> Iterator[Path]:
    """The files that an image is made of, in order."""
    yield from (ROOT / "services/Dockerfile", ROOT / "requirements/image-build.txt")
    yield ROOT / f"requirements/image-{service}.txt"
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield path


def content(service: str, arguments: Sequence[str]) -> str:
    """The digest of all that decides what the image of SERVICE is."""
    found = hashlib.sha256(repr(list(arguments)).encode())
    for path in sources(service):
        found.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]


def build(engine: Engine, service: str, image: str, options: Sequence[str] = ()) -> bool:
    """Build IMAGE of SERVICE; False where it is there already. OPTIONS: --build-arg BASE=…, --platform …"""
    if not (ROOT / "build/shim").is_dir():
        raise SystemExit("build/shim is not there; run `make shim` first")
    digest = content(service, options)
    if engine.label_of(image) == digest:
        return False
    index = [part for name in INDEX if name in os.environ for part in ("--build-arg", name)]
    given = ["--build-arg", f"SERVICE={service}", "--label", f"{LABEL}={digest}", *index, *options]
    engine.run("build", *engine.build_options, *given, "-f", "services/Dockerfile", "-t", image, ".", quiet=True)
    return True


def main(argv: Sequence[str] | None = None) -> None:
    """Build what was asked for and say each image's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", action="append", choices=SERVICES, help="default: all five")
    parser.add_argument("--tag", default="0.1.0")
    parser.add_argument("--prefix", default="headrace", help="registry and folder before the service's name")
    parser.add_argument("--engine", choices=("docker", "podman", "buildah"), help="default: the first that is found")
    parser.add_argument("--base", help="image with Python 3.11 (default: the one in services/Dockerfile)")
    parser.add_argument("--platform", help="linux/amd64 or linux/arm64 (default: this machine's)")
    given = parser.parse_args(argv)
    options = ["--platform", given.platform] if given.platform else []
    if given.base:
        options += ["--build-arg", f"BASE={given.base}", "--build-arg", f"BUILD_BASE={given.base}"]
    engine = Engine.found(given.engine)
    for service in given.service or SERVICES:
        image = f"{given.prefix}/{service}:{given.tag}"
        print(image, "built" if build(engine, service, image, options) else "is current", flush=True)


if __name__ == "__main__":
    main()
