"""The report of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..comparison import computable
from ..evaluation import Evaluation
from ..judged import Judged
from ..metrics import parse_metric
from ..summary import Average, Estimate, Unit, per_query, summarise
from .choice import Chosen, choose
from .page import number, page, section, text, write_page
from .pictures import Album, Records, tile, tiles
from .plots import Axis, Line, line_chart, share_chart
from .series import by_cut, distributions, interpolated_precision, pooled_precision
from .tables import by_class, cards, in_words, metrics_table, protocol_words, skipped_words

__all__ = ["REPORT_METRICS", "write_report"]

REPORT_METRICS = ("map", "hit_rate@1", "precision@10", "recall@10", "r_precision", "ndcg@10", "mrr", "minp")
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DEPTH = 100  # the largest k of the plot of recall and precision
_CUTS = (1, 2, 5, 10, 20, 50, 100)


def write_report(
    evaluation: Evaluation,
    *,
    records: Records,
    folder: Path,
    title: str = "How good is the search?",
    figures: Mapping[str, Estimate] | None = None,
    average: Average = "micro",
    by: Unit | None = None,
    order: str | None = None,
    queries: int = 8,
    results: int = 10,
    expected: int = 4,
    thumbnail: int = 160,
    seed: int = 0,
) -> Path:
    """Write ``report.html``: figures, plots, a table by class, and the worst, middle and best queries as pictures.

    Args:
        evaluation: what was found.
        records: where the images of its rows are; a collection's ``store``.
        folder: made when it does not exist; a report that is there is replaced.
        title: the heading.
        figures: what ``summarise`` gave; None computes ``REPORT_METRICS``, as far as the ranking was judged.
        average, by, seed: as in ``summarise``; ``seed`` also draws among queries of equal value.
        order: the metric that says which queries are worst; None takes average precision, as deep as was judged.
        queries: how many to show of each of worst, middle and best.
        results, expected: pictures for each query, at most.
        thumbnail: side of a picture in pixels, 16..1000.

    Returns:
        The file: all it shows is inside it, and the same evaluation gives the same bytes.

    Raises:
        BadInput: nothing was asked, a metric that is unknown or needs a deeper ranking, sizes out of range.
        StorageFailed: the folder cannot be written.
    """
    if not len(evaluation):
        raise BadInput("there is no query in this evaluation, so there is nothing to report.")
    if queries < 0 or results < 1 or expected < 0 or not 16 <= thumbnail <= 1000:
        raise BadInput(
            f"a report needs queries >= 0, results >= 1, expected >= 0 and a thumbnail of 16..1000 pixels, got "
            f"{queries}, {results}, {expected} and {thumbnail}."
        )
    judged = evaluation.judged
    if figures is None:
        keys = list(dict.fromkeys([ordering(judged), *computable(judged, REPORT_METRICS)]))
        figures = summarise(judged, keys, average=average, by=by, seed=seed)
    key = order or ordering(judged)
    values = per_query(judged, [key])[key]
    undefined = int((~judged.defined).sum())
    single = [each for each in figures if parse_metric(each)[0].kind == "query"]
    unit = "queries" if judged.classes is None or (by == "query" and average == "micro") else "classes"
    weighed = "every query counts alike" if average == "micro" else "every class counts alike"

    album = Album(records, side=thumbnail)
    facts = section("protocol", "What was measured", protocol_words(evaluation.protocol))
    left_out = section("left-out", "What was left out", skipped_words(evaluation.skipped, undefined))
    sections = [
        section(
            "figures", "Figures", cards(figures),
            intro=f"Averages over the queries, {weighed}. Intervals hold the true value 95 times out of 100; they are "
            f"bootstrapped by drawing {unit} (seed {seed}).",
        ),
        f'<div class="facts-of">{facts}{left_out}</div>',
        section("curves", "Curves", _plots(evaluation, average)),
    ]  # fmt: skip
    higher = parse_metric(key)[0].higher_is_better
    chosen = choose(values if higher else -values, queries, seed=seed)
    sections += _picture_sections(evaluation, chosen, values, key, album, results, expected)
    classes = by_class(judged, single[:3], key)
    if classes:
        sections.append(section("classes", "By class", classes, intro=f"Worst first, by {escape(in_words(key))}."))
    sections.append(section("metrics", "Every figure", metrics_table(figures), intro="What each of them measures."))
    lead = (
        f'<p class="lead">{len(evaluation):,} queries in figures and curves, and what the search showed for the worst, '
        "the middle and the best of them.</p>"
    )
    return write_page(page(title, lead, sections, pictures=album.count), folder / "report.html")


def ordering(judged: Judged) -> str:
    """Return the metric that tells bad queries from good ones: average precision, as deep as was judged."""
    return (computable(judged, ["map"]) or [f"map@{judged.cut}"])[0]


def _plots(evaluation: Evaluation, average: Average) -> str:
    judged = evaluation.judged
    parts = []
    tenths = np.linspace(0, 1, 11)
    lines = [
        Line("mean of the queries, interpolated at 11 points", tenths, interpolated_precision(judged, average), True)
    ]
    pooled = pooled_precision(judged)
    if pooled is not None:
        lines.append(Line("all query-result pairs in one list, by score", *pooled))
    plot = line_chart(lines, name=_spoken("Precision against recall", lines[0]), x=Axis("recall"), y=Axis("precision"))
    parts.append(_figure("Precision and recall", "How clean the results stay as more of the relevant are found.", plot))

    depth = min(DEPTH, judged.cut or DEPTH)
    if depth > 1:
        cuts = np.arange(1, depth + 1, dtype=np.float64)
        recall, precision = by_cut(judged, depth, average)
        lines = [Line("recall@k", cuts, recall), Line("precision@k", cuts, precision)]
        across = Axis("results looked at, k", 1, depth, [k for k in _CUTS if k <= depth], log=True)
        plot = line_chart(lines, name=_spoken("Recall and precision by k", lines[0]), x=across, y=Axis("average"))
        parts.append(_figure("Recall@k and precision@k", "What a page of k results holds.", plot))

    spread = distributions(evaluation)
    if spread is not None:
        names = [f"relevant ({spread.counts[0]:,})", f"not relevant ({spread.counts[1]:,})"]
        shares = [spread.relevant, spread.other]
        said = "Scores of relevant results against those of others"
        plot = share_chart(spread.edges, shares, names, name=said, label="score")
        intro = (
            f"Of the first {evaluation.shown.shape[1]} results; the less the two overlap, the better a threshold works."
        )
        parts.append(_figure("Scores", intro, plot))
    return f'<div class="plots">{"".join(parts)}</div>'


def _figure(heading: str, intro: str, plot: str) -> str:
    return f"<figure><figcaption>{escape(heading)}<span>{escape(intro)}</span></figcaption>{plot}</figure>"


def _spoken(name: str, line: Line) -> str:
    return f"{name}: {line.name} goes from {line.y[0]:.3f} to {line.y[-1]:.3f}."


def _picture_sections(
    evaluation: Evaluation,
    chosen: Chosen,
    values: Floats,
    key: str,
    album: Album,
    results: int,
    expected: int,
) -> list[str]:
    out = []
    for name, heading, ranks in (
        ("worst", "The worst queries", chosen.worst),
        ("median", "Queries of the middle", chosen.median),
        ("best", "The best queries", chosen.best),
    ):
        if not len(ranks):
            continue
        rows = [_query(evaluation, int(at), values, key, album, results, expected) for at in ranks]
        out.append(section(name, heading, *rows, intro=_why(name, ranks, values, key)))
    return out


def _why(name: str, chosen: Ints, values: Floats, key: str) -> str:
    words = escape(in_words(key))
    last = float(values[chosen[-1]])
    alike = int((values == last).sum())
    shown = int((values[chosen] == last).sum())
    one = len(chosen) == 1
    what = {"worst": f"lowest {words}", "median": f"{words} nearest the middle", "best": f"highest {words}"}[name]
    intro = f"The query with the {what}." if one else f"The {len(chosen)} queries with the {what}."
    if alike > shown:
        intro += (
            f" {alike:,} queries reach exactly {number(last)}; {shown} of them {'is' if shown == 1 else 'are'} drawn."
        )
    return intro


def _query(
    evaluation: Evaluation,
    at: int,
    values: Floats,
    key: str,
    album: Album,
    results: int,
    expected: int,
) -> str:
    judged = evaluation.judged
    asked = album.query(evaluation, at)
    shown = [int(found) for found in evaluation.shown[at] if found >= 0]
    grades, scores = evaluation.shown_grades[at], evaluation.shown_scores[at]
    place = {found: rank for rank, found in enumerate(shown, start=1)}

    wanted = [int(each) for each in evaluation.expected[at][:expected]]
    total = int(judged.total[at])
    wanted_tiles = [
        tile(picture, "expected", note=f"found at {place[each]}" if each in place else f"beyond {len(shown)}")
        for each, picture in zip(wanted, album.rows(wanted), strict=True)
    ]
    heading = "Expected" if total == len(wanted) else f"Expected ({len(wanted)} of {total:,})"
    found_tiles = [
        tile(picture, f"result {rank}", rank=rank, score=float(scores[rank - 1]), relevant=bool(grades[rank - 1] > 0),
             note=_grade(float(grades[rank - 1])))
        for rank, picture in enumerate(album.rows(shown[:results]), start=1)
    ]  # fmt: skip
    right = np.flatnonzero(grades[: len(shown)] > 0)
    cut = bool(evaluation.query_boxes) and evaluation.query_boxes[at] is not None
    asked_tile = tile(asked, "query", note="cut to its box" if cut else "")
    kind = "" if judged.classes is None else f"{text(judged.classes[at])} · "
    return (
        f'<article class="query"><header><h3>{text(asked.name)}</h3><p>{kind}{escape(in_words(key))} '
        f"{number(float(values[at]))} · {len(right):,} of {total:,} in the first {len(shown)}</p></header>"
        f'<div class="row">{tiles("Query", "asked", [asked_tile], empty="")}'
        f"{tiles(heading, 'expected', wanted_tiles, empty='The evaluation names none.')}"
        f"{tiles('Results', 'results', found_tiles, empty='The search found nothing.')}</div></article>"
    )


def _grade(grade: float) -> str:
    return f"grade {grade:g}" if grade not in (0.0, 1.0) else ""
