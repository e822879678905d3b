"""The report of a comparison: the verdicts, and the queries that changed most, as pictures."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..comparison import Compared, verdict_in_words
from ..evaluation import Evaluation
from ..metrics import parse_metric
from ..paired import Comparison
from ..summary import Average, per_query
from .choice import most_changed
from .page import number, page, section, table, text, write_page
from .pictures import Album, Records, tile, tiles
from .plots import Axis, Line, interval, line_chart
from .series import by_cut, interpolated_precision
from .tables import in_words, label, protocol_words

__all__ = ["write_comparison"]

DEPTH = 100
_CUTS = (1, 2, 5, 10, 20, 50, 100)
_LEFT_OUT = {
    "only_first": "queries that only A has",
    "only_second": "queries that only B has",
    "other_truth": "queries to which a different number of images is relevant in A and in B",
}


def write_comparison(
    compared: Compared,
    *,
    records: tuple[Records, Records],
    names: tuple[str, str],
    folder: Path,
    title: str = "Is B better than A?",
    average: Average = "micro",
    queries: int = 8,
    results: int = 6,
    thumbnail: int = 160,
) -> Path:
    """Write ``comparison.html``: verdicts with intervals, curves of both, and the queries that changed most.

    Args:
        compared: what ``compare_evaluations`` gave.
        records: where the images of the first and of the second are.
        names: what to call the two.
        folder, title, thumbnail: as in ``write_report``.
        average: as the metrics were averaged.
        queries: how many to show of those that got worse, and of those that got better.
        results: pictures a side, at most.

    Raises:
        BadInput: sizes out of range. StorageFailed: the folder cannot be written.
    """
    if queries < 0 or results < 1 or not 16 <= thumbnail <= 1000:
        raise BadInput(
            f"a report needs queries >= 0, results >= 1 and a thumbnail of 16..1000 pixels, got {queries}, {results} "
            f"and {thumbnail}."
        )
    albums = (Album(records[0], side=thumbnail), Album(records[1], side=thumbnail))
    sign = 1 if parse_metric(compared.order)[0].higher_is_better else -1
    lost, gained = most_changed(sign * compared.differences, queries)
    known = compared.differences[~np.isnan(compared.differences)] * sign
    counts = f"{int((known > 0).sum()):,} queries got better, {int((known < 0).sum()):,} worse, "
    counts += f"{int((known == 0).sum()):,} stayed as they were"
    intro = (
        "The difference is B minus A, with its 95% interval; p is that of a paired test, corrected for the number of "
    )
    intro += "metrics (Holm)."
    if compared.first.judged.classes is not None:
        intro += " Queries of one class are drawn together, because they are not independent."
    sections = [
        section("verdicts", "Verdicts", _verdicts(compared), intro=intro),
        section("protocol", "What was measured", protocol_words(compared.first.protocol), _left_out(compared)),
        section("curves", "Curves", _plots(compared, average)),
    ]
    for name, heading, some in (("worse", "Lost most", lost), ("better", "Gained most", gained)):
        rows = [_query(compared, int(at), albums, results) for at in some]
        said = f"By {escape(in_words(compared.order))}: {counts}."
        sections.append(section(name, heading, *rows or ["<p>No query did.</p>"], intro=said))
    lead = (
        f'<p class="lead"><b>{_headline(compared)}</b> {len(compared):,} queries were searched for in both.</p>'
        f"<dl><dt>A</dt><dd>{text(names[0])}</dd><dt>B</dt><dd>{text(names[1])}</dd></dl>"
    )
    count = albums[0].count + albums[1].count
    return write_page(page(title, lead, sections, pictures=count), folder / "comparison.html")


def _headline(compared: Compared) -> str:
    verdicts = {comparison.verdict for comparison in compared.metrics.values()}
    if verdicts == {"cannot tell"}:
        return "Cannot tell: no difference is larger than chance may make it."
    if "worse" not in verdicts:
        return "B is better" + ("." if len(verdicts) == 1 else " in some metrics, and worse in none.")
    if "better" not in verdicts:
        return "B is worse" + ("." if len(verdicts) == 1 else " in some metrics, and better in none.")
    return "B is better in some metrics and worse in others."


def _verdicts(compared: Compared) -> str:
    reach = max([abs(end) for one in compared.metrics.values() for end in _ends(one)], default=0) or 1.0
    axis = Axis("", -reach, reach)
    rows = []
    for key, one in compared.metrics.items():
        kind = "" if one.verdict == "cannot tell" else f' class="{one.verdict}"'
        rows.append(
            [
                f"{escape(label(key))} <code>{escape(key)}</code>",
                number(one.first),
                number(one.second),
                number(one.difference, sign=True),
                f"{number(one.low, sign=True)} to {number(one.high, sign=True)}",
                interval(one.difference, one.low, one.high, axis=axis),
                _p(one.p_adjusted),
                f"<span{kind}>{verdict_in_words(one)}</span>",
            ]
        )
    head = ["Metric", "A", "B", "Difference", "Interval", '<span class="sr">Interval, drawn</span>', "p", "Verdict"]
    return table(head, rows, caption="Each metric of A and B, and the verdict on B", numeric=(1, 2, 3, 4, 6))


def _ends(comparison: Comparison) -> list[float]:
    ends = (comparison.difference, comparison.low, comparison.high)
    return [end for end in ends if not np.isnan(end)]


def _p(value: float) -> str:
    return f'<data value="{value!r}">{"under 0.001" if value < 0.001 else f"{value:.3f}"}</data>'


def _left_out(compared: Compared) -> str:
    parts = []
    for why, ids in (
        ("only_first", compared.only_first),
        ("only_second", compared.only_second),
        ("other_truth", compared.other_truth),
    ):
        if ids:
            some = ", ".join(text(id) for id in ids[:5]) + (", …" if len(ids) > 5 else "")
            parts.append(f"<li>{len(ids):,} {_LEFT_OUT[why]}: {some}</li>")
    return f"<p>Not compared:</p><ul>{''.join(parts)}</ul>" if parts else "<p>Every query of both was compared.</p>"


def _plots(compared: Compared, average: Average) -> str:
    sides = (compared.first.judged, compared.second.judged)
    tenths = np.linspace(0, 1, 11)
    lines = [
        Line(name, tenths, interpolated_precision(judged, average), True)
        for name, judged in zip("AB", sides, strict=True)
    ]
    drawn = line_chart(
        lines, name="Precision against recall of A and B.", x=Axis("recall"), y=Axis("interpolated precision")
    )
    parts = [f"<figure><figcaption>Precision and recall</figcaption>{drawn}</figure>"]
    depth = min([DEPTH, *(judged.cut for judged in sides if judged.cut is not None)])
    if depth > 1:
        cuts = np.arange(1, depth + 1, dtype=np.float64)
        lines = [Line(name, cuts, by_cut(judged, depth, average)[0]) for name, judged in zip("AB", sides, strict=True)]
        across = Axis("results looked at, k", 1, depth, [k for k in _CUTS if k <= depth], log=True)
        drawn = line_chart(lines, name="Recall by k of A and B.", x=across, y=Axis("recall@k"))
        parts.append(f"<figure><figcaption>Recall@k</figcaption>{drawn}</figure>")
    return f'<div class="plots">{"".join(parts)}</div>'


def _query(compared: Compared, at: int, albums: tuple[Album, Album], results: int) -> str:
    asked = albums[0].query(compared.first, at)
    sides = (compared.first, compared.second)
    values = [_value(side, compared.order, at) for side in sides]
    found = [
        tiles(f"Results of {name}", "results", _results(side, at, album, results), empty="The search found nothing.")
        for name, side, album in zip("AB", sides, albums, strict=True)
    ]
    classes = compared.first.judged.classes
    kind = "" if classes is None else f"{text(classes[at])} · "
    return (
        f'<article class="query"><header><h3>{text(asked.name)}</h3><p>{kind}{escape(in_words(compared.order))} '
        f"{number(values[0])} → {number(values[1])} ({number(values[1] - values[0], sign=True)})</p></header>"
        f'<div class="row two">{tiles("Query", "asked", [tile(asked, "query")], empty="")}{"".join(found)}</div>'
        "</article>"
    )


def _value(evaluation: Evaluation, key: str, at: int) -> float:
    values: npt.NDArray[np.float64] = per_query(evaluation.judged, [key])[key]
    return float(values[at])


def _results(evaluation: Evaluation, at: int, album: Album, results: int) -> list[str]:
    shown = [int(row) for row in evaluation.shown[at] if row >= 0][:results]
    scores, grades = evaluation.shown_scores[at], evaluation.shown_grades[at]
    return [
        tile(picture, f"result {rank}", rank=rank, score=float(scores[rank - 1]), relevant=bool(grades[rank - 1] > 0))
        for rank, picture in enumerate(album.rows(shown), start=1)
    ]
