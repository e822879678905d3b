"""The routes: one file a resource. A new one is one file and one line here."""

from __future__ import annotations

from . import clip_retrieval, collections, explain, feedback, health, jobs, listing, pictures, records, search, session

__all__ = ["ROUTERS"]

ROUTERS = [
    search.router,
    explain.router,
    records.router,
    listing.router,
    pictures.router,
    jobs.router,
    feedback.router,
    collections.router,
    session.router,
    health.router,
    clip_retrieval.router,
]
