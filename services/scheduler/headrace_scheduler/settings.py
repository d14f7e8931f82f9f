"""Settings of the scheduler; read from `HEADRACE_*` by `headrace serve scheduler` and the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from headrace_companion.remote.fetching import Fetcher, Means
from headrace_companion.remote.rewriting import Rewrites
from headrace_companion.remote.sources import Ambient, Limits
from headrace_ir.values import MAX_VALUE_BYTES
from headrace_servicekit.settings import Settings, SettingsError

VERSION_S: Final = 5.0  # for a place elsewhere to say which version it has, before a lookup in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings(Settings):
    """What the scheduler knows besides the common settings."""

    stores_file: Path | None = None  # YAML: stores of single namespaces, with their keys
    store_pod_endpoint: str = ""  # where Pods reach the S3 server, if not at the address that we use
    take_over: bool = False  # the data folder's lock is held: any other session is dead, its shards are free at once
    tick_events: int = 2_000  # events in one append at most; more are split over several
    queue_notice_s: float = 1.0  # a task that waits longer than this for its slots says so
    default_cpu: float = 0.5  # cores accounted to a task that asks for none
    max_value_bytes: int = MAX_VALUE_BYTES  # of one parameter as JSON text; more than this default is not read again
    cache_enabled: bool = True  # the switch for the whole installation; off: every task runs
    cache_verify: Literal["none", "exists", "digest"] = "exists"  # looked at of a hit's artifacts; digest reads them
    # Of inputs that lie in other places than our stores: ask there for the version, trust the URI, or refuse to cache.
    # auto: ask where tasks run on this machine; refuse on Kubernetes, where a pipeline would choose whom the scheduler asks.
    cache_sources: Literal["auto", "ask", "trust", "refuse"] = "auto"
    simulated_seconds: float = 0.0  # how long each attempt of the simulated executor runs
    advertise_address: str = ""  # where companions reach this very replica; "": where it listens
    grace_s: float = 30.0  # between SIGTERM and SIGKILL of user code in a Pod, where its task says nothing
    import_max_bytes: int = 64 << 30  # of one imported artifact; a larger one fails its consumer
    import_keep_bytes: int = 10 << 30  # of what was fetched, kept below HOME/imports for the next consumer
    environment_keep_bytes: int = 20 << 30  # of environments below HOME/environments; beyond it unused ones go
    environment_keep_days: float = 30.0  # one that no attempt used for so long goes
    import_silence_s: float = 30.0  # a server that sends nothing for so long is tried again
    import_rewrite: str = ""  # "FROM=TO …": prefixes of URIs whose content comes from a mirror

    companion_image: str = "docker.io/headrace/companion:0.1.0"  # beside user code in each task's Pod
    pod_namespace: str = ""  # where tasks of the namespace `default` run; "": the scheduler's own
    pod_scheduler_address: str = ""  # host:port at which Pods reach this scheduler; "": HEADRACE_SCHEDULER_ADDRESS
    installation: str = "headrace"  # a label of all its Pods; platforms that share a namespace have different ones
    pod_defaults: str = ""  # a JSON file with what every task's Pod gets: labels, tolerations, nodeSelector, …
    max_pods: int = 5_000  # in flight, for each replica
    keep_pods_s: float = 300.0  # a Pod stays so long after its attempt has ended
    unstartable_after_s: float = 300.0  # a task whose image or secret nobody provides fails then
    registries: str = (
        ""  # "docker.io=https://mirror …", `*` = all others: where to ask for images' entry points instead
    )

    def fetching(self) -> Means:
        """How the content of imported artifacts is fetched."""
        try:
            rewrites = Rewrites.parse(self.import_rewrite)
        except ValueError as wrong:
            raise SettingsError(f"HEADRACE_IMPORT_REWRITE: {wrong}") from None
        limits = Limits(most_bytes=self.import_max_bytes, silence_s=self.import_silence_s)
        return Means(limits, self.import_keep_bytes, rewrites)

    def sources(self) -> Literal["ask", "trust", "refuse"]:
        """What `auto` comes to."""
        if self.cache_sources != "auto":
            return self.cache_sources
        return "refuse" if self.executor == "kubernetes" else "ask"

    def remote(self, environ: Mapping[str, str]) -> Fetcher:
        """Asks other places for the version of what they hold; it fetches nothing."""
        means = self.fetching()
        quick = replace(means, limits=replace(means.limits, silence_s=VERSION_S, pauses=()))
        return Fetcher(self.home / "imports", quick, Ambient(environ))

    def advertised(self) -> str:
        """The address that companions are sent to; "" where only this machine reaches it."""
        listening = self.listening("scheduler")
        local = listening.startswith(("unix:", "0.0.0.0:", "[::]:"))
        return self.advertise_address or ("" if local else listening)

    def artifacts(self) -> str:
        """The artifact store's root URI."""
        return self.artifact_root or (self.home / "artifacts").absolute().as_uri()
