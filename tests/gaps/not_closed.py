"""Gaps that no test shows closed: those that later work closes, and those that stay on purpose, each with its reason."""

from __future__ import annotations

from gaps.gap import Gap

SCHEDULE_MACROS = Gap(
    "G48",
    "Macros of recurring runs",
    kfp="not expanded for pinned versions, partly for others",
    here="comes with recurring runs",
    status="open",
)
SCHEDULE_PLACEHOLDERS = Gap(
    "G49",
    "Placeholders of recurring runs",
    kfp="the run's name stays empty for pinned versions; the schedule time is the creation time for others",
    here="comes with recurring runs",
    status="open",
)
TIME_TO_LIVE = Gap(
    "G55",
    "Time to live of what a run leaves behind",
    kfp="removes cluster objects only, never the run's records or artifacts",
    here="comes with the Kubernetes executor and retention",
    status="open",
)
CRON = Gap(
    "G58",
    "Cron expressions",
    kfp="seconds come first, without a warning; one time zone for the whole server",
    here="comes with recurring runs",
    status="open",
)
LIMITS_ACROSS_RUNS = Gap(
    "G60",
    "Semaphores, mutexes, priorities and parallelism across runs",
    kfp="neither the IR nor the backend has them",
    here="the IR has no word for them, and a key of our own would tie a pipeline to this platform; queues with quota and "
    "priority for a namespace come with GPU scheduling",
    status="kept",
)
