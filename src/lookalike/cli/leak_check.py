"""The leak check of ``lookalike evaluate``: its options, and what is said before any figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import say
from .options import open_collection

if TYPE_CHECKING:
    from ..collection import Collection
    from ..evaluate.truth import Joined

__all__ = ["check_leaks", "leak_options"]

F = TypeVar("F", bound=Callable[..., Any])


def leak_options(command: F) -> F:
    """``--train``, ``--exclude-leaks`` and ``--leak-check``: what is looked for, and what is done about it."""
    for option in (
        click.option(
            "--leak-check/--no-leak-check",
            default=True,
            help="Look for copies of queries in the base first. Default: on.",
        ),
        click.option("--exclude-leaks", is_flag=True, help="Take copies of a query out of its ranking."),
        click.option(
            "--train",
            metavar="COLLECTION",
            type=click.Path(),
            help="Also look for copies of these images: the model saw them.",
        ),
    ):
        command = option(command)
    return command


def check_leaks(
    photos: Collection,
    joined: Joined,
    protocol: str | None,
    *,
    seed: int = 0,
    train: str | None = None,
    exclude_leaks: bool = False,
    leak_check: bool = True,
) -> tuple[Joined, dict[str, Any] | None]:
    """Say on stderr which copies there are; return the truth to go on with, and what ``--json`` says of them.

    Args:
        photos: what is evaluated.
        joined: the truth.
        protocol: what is about to be run on it; None: what the truth asks for.
        seed: of drawn episodes.
        train: a collection of training images.
        exclude_leaks: make copies junk of one another.
        leak_check: False: look for nothing, and change nothing.

    Raises:
        click.UsageError: copies are to be left out and not to be looked for.
    """
    from ..evaluate.leak_report import between_sentences, leaks_of_plan, without_leaks
    from ..evaluate.leaks import find_leaks_between
    from ..evaluate.protocols import plan_of

    if not leak_check:
        if exclude_leaks:
            raise click.UsageError("--exclude-leaks needs the leak check; leave --no-leak-check out.")
        return joined, None
    found = leaks_of_plan(photos, joined, plan_of(joined, protocol, seed=seed))
    for sentence in found.sentences():
        say.message(sentence)
    facts: dict[str, Any] = {**found.to_json(), "excluded": exclude_leaks}
    if train:
        with open_collection(train) as trained:
            between = find_leaks_between(trained, photos)
            for sentence in between_sentences(between, trained, photos):
                say.message(sentence)
            facts["train"] = between.to_json()
    return (without_leaks(joined, found) if exclude_leaks else joined), facts
