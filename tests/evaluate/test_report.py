"""Reports are read back with an HTML parser: what a person sees must be what was computed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.errors import BadInput, StorageFailed
from lookalike.evaluate.comparison import compare_evaluations
from lookalike.evaluate.evaluation import Evaluation
from lookalike.evaluate.judged import Judged
from lookalike.evaluate.report import write_comparison, write_report
from lookalike.evaluate.report.style import DARK, LIGHT
from lookalike.evaluate.summary import per_class, per_query, summarise
from lookalike.types import Record
from pictures import picture

VOID = {"meta", "img", "br", "link", "circle", "line", "path", "polyline", "polygon", "use"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, tag: str, kind: str = "") -> list[Element]:
        own = [self] if self.tag == tag and kind in ["", *self.attributes.get("class", "").split()] else []
        return own + [found for child in self.children for found in child.all(tag, kind)]

    def by_id(self, id: str) -> Element:
        (found,) = [each for each in self.every() if each.attributes.get("id") == id]
        return found

    def every(self) -> list[Element]:
        return [self] + [found for child in self.children for found in child.every()]

    @property
    def text(self) -> str:
        return "".join(self.texts) + "".join(child.text for child in self.children)

    @property
    def values(self) -> list[float]:
        return [float(each.attributes["value"]) for each in self.all("data")]


class Reader(HTMLParser):
    """Builds the tree, and fails where an element is not closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("#", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].texts.append(data)


def read(path: Path) -> Element:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert len(reader.open) == 1, "not every element is closed"
    return reader.open[0]


class Shelf:
    """Pictures on disk, by row."""

    def __init__(self, folder: Path, ids: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        self.records: list[Record | None] = []
        for row, id in enumerate(ids):
            path = folder / f"{row}.png"
            Pillow.fromarray(picture(row, side=48)).save(path)
            self.records.append(Record(row=row, id=id, source=str(path)))

    def get_rows(self, rows: Sequence[int]) -> list[Record | None]:
        return [self.records[row] for row in rows]


KINDS = 6
VIEWS = 5
NAMES = [f"kind{row // VIEWS}/view{row % VIEWS}.png" for row in range(KINDS * VIEWS)]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "pictures", NAMES)


def evaluation(*, skill: float = 2.0, seed: int = 0, shown: int = 12, drop: tuple[int, ...] = ()) -> Evaluation:
    """Every picture searches for its kind, by noise and ``skill`` times whether it is right; ``drop`` are not asked."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(KINDS), VIEWS)
    base = len(kinds)
    rows, scores, grades = [], [], []
    asked = [row for row in range(base) if row not in drop]
    for row in range(base):
        score = rng.normal(size=base) + skill * (kinds == kinds[row])
        if row not in asked:
            continue
        order = np.argsort(-score)
        order = order[order != row]
        rows.append(order)
        scores.append(score[order])
        grades.append((kinds[order] == kinds[row]).astype(np.float32))
    table = np.array(grades)
    judged = Judged.from_ranked(
        table,
        whole=True,
        scores=np.array(scores, np.float32),
        classes=[f"kind{kinds[row]}" for row in asked],
        query_ids=[NAMES[row] for row in asked],
    )
    return Evaluation(
        protocol={"name": "leave-one-out", "queries": len(asked), "base": base, "cut": None, "notes": ["A <note>."]},
        judged=judged,
        query_rows=np.array(asked),
        query_sources=tuple(f"{row}.png" for row in asked),
        shown=np.array(rows)[:, :shown],
        shown_scores=np.array(scores, np.float32)[:, :shown],
        shown_grades=table[:, :shown],
        expected=tuple(np.array([r for r in range(base) if kinds[r] == kinds[row] and r != row]) for row in asked),
        skipped={"unmatched": 3, "no_other_of_its_label": 0},
    )


def test_figures_are_those_of_summarise(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    figures = summarise(found.judged, ["map", "hit_rate@1", "micro_ap"], seed=4, by="query")
    page = read(write_report(found, records=shelf, folder=tmp_path / "out", figures=figures, by="query", seed=4))
    cards = page.by_id("figures").all("li", "card")
    assert [card.values for card in cards] == [[f.value, f.low, f.high] for f in figures.values()]
    rows = page.by_id("metrics").all("tr")[1:]
    assert [row.values for row in rows] == [[f.value, f.low, f.high] for f in figures.values()]
    assert "30 queries" in cards[0].text


def test_the_table_by_class_is_worst_first(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    page = read(write_report(found, records=shelf, folder=tmp_path))
    names, values = per_class(found.judged, ["map"])
    rows = page.by_id("classes").all("tr")[1:]
    expected = sorted(zip(values["map"].tolist(), names.tolist(), strict=True))
    assert [row.all("th")[0].text for row in rows] == [name for _, name in expected]
    assert [row.values[0] for row in rows] == [value for value, _ in expected]


def test_queries_shown_are_the_worst_the_middle_and_the_best(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    page = read(write_report(found, records=shelf, folder=tmp_path, queries=2))
    values = np.sort(per_query(found.judged, ["map"])["map"])
    for name, some in (("worst", values[:2]), ("median", values[14:16]), ("best", values[:-3:-1])):
        shown = [article.all("header")[0].values[0] for article in page.by_id(name).all("article")]
        assert shown == some.tolist()


def test_a_query_shows_what_was_expected_and_what_was_found(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    page = read(write_report(found, records=shelf, folder=tmp_path, queries=1, results=7, expected=3))
    (article,) = page.by_id("worst").all("article")
    at = int(np.argmin(per_query(found.judged, ["map"])["map"]))
    asked, expected, results = article.all("div", "part")
    assert [image.attributes["alt"] for image in asked.all("img")] == [f"query: {NAMES[at]}"]
    assert "Expected (3 of 4)" in expected.text
    assert [i.attributes["alt"] for i in expected.all("img")] == [
        f"expected: {NAMES[r]}" for r in found.expected[at][:3]
    ]
    tiles = results.all("figure")
    assert len(tiles) == 7
    place = {int(row): rank for rank, row in enumerate(found.shown[at], start=1)}
    notes = [note.text for note in expected.all("span", "note")]
    assert notes == [f"found at {place[r]}" if r in place else "beyond 12" for r in found.expected[at][:3].tolist()]
    for rank, tile in enumerate(tiles, start=1):
        right = found.shown_grades[at, rank - 1] > 0
        assert tile.attributes["class"].split() == ["tile", "yes" if right else "no"]
        assert tile.all("use")[0].attributes["href"] == ("#yes" if right else "#no")  # not by colour alone
        assert tile.all("b", "rank")[0].text == str(rank)
        assert tile.all("span", "score")[0].text == f"{found.shown_scores[at, rank - 1]:.3f}".replace("-", "−")
        name = NAMES[found.shown[at, rank - 1]]
        assert (
            tile.all("img")[0].attributes["alt"] == f"result {rank}, {'relevant' if right else 'not relevant'}: {name}"
        )


def test_pictures_are_inside_and_nothing_is_outside(shelf: Shelf, tmp_path: Path) -> None:
    path = write_report(evaluation(), records=shelf, folder=tmp_path, thumbnail=32)
    page = read(path)
    images = page.all("img")
    assert len(images) > 100
    for image in images[:20]:
        kind, _, data = image.attributes["src"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Pillow.open(io.BytesIO(base64.b64decode(data))).size) == 32
    for element in page.every():
        assert element.tag not in ("script", "link", "iframe", "object", "base")
        for name in ("src", "href", "srcset", "action"):
            assert element.attributes.get(name, "#").startswith(("#", "data:image/jpeg"))
        assert not [name for name in element.attributes if name.startswith("on")]
    assert "http" not in path.read_text(encoding="utf-8").replace("http-equiv", "")


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    names = [f'<script>alert({row})</script>"><img src=x onerror=alert(1)>\u202e{row}' for row in range(len(NAMES))]
    names[1] = "x\udce9/\x1b[31m.png"  # half a character and an escape sequence
    found = evaluation()
    shelf = Shelf(tmp_path / "pictures", names)
    marked = np.array([f"</h2><script>{name}" for name in np.asarray(found.judged.classes)])
    found = replace(found, judged=found.judged.with_classes(marked))
    found = replace(found, protocol={"name": "<script>", "<i>": "<script>", "description": "<script>"})
    found = replace(found, skipped={"<script>": 1})
    path = write_report(found, records=shelf, folder=tmp_path, title="</title><script>x</script>")
    page = read(path)
    assert not page.all("script")
    assert {image.attributes["src"][:5] for image in page.all("img")} == {"data:"}
    assert "x%E9" in page.text
    assert "\x1b" not in page.text
    assert page.all("h1")[0].text == "</title><script>x</script>"


def test_pictures_that_are_gone_say_why(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    worst = int(np.argmin(per_query(found.judged, ["map"])["map"]))
    first, second, third = found.shown[worst, :3].tolist()
    lost = shelf.records[first]
    assert lost is not None
    Path(lost.source).unlink()
    shelf.records[second] = None
    broken = shelf.records[third]
    assert broken is not None
    Path(broken.source).write_bytes(b"no picture")
    path = write_report(found, records=shelf, folder=tmp_path, queries=1)
    tiles = read(path).by_id("worst").all("div", "results")[0].all("figure")
    assert "No such file" in tiles[0].text
    assert "no longer in the collection" in tiles[1].text
    assert len(tiles[2].all("p", "missing")) == 1
    assert not tiles[0].all("img")
    assert str(tmp_path) not in path.read_text(encoding="utf-8")  # the report goes to people outside


def test_what_was_left_out_is_said(shelf: Shelf, tmp_path: Path) -> None:
    page = read(write_report(evaluation(), records=shelf, folder=tmp_path))
    assert [line.text for line in page.by_id("left-out").all("li")] == [
        "3 names in the truth that join no image of the collection"
    ]
    protocol = page.by_id("protocol").text
    assert "Each labelled image in turn" in protocol
    assert "A <note>." in protocol
    assert "None" not in protocol


def test_queries_with_nothing_to_find_are_counted(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    grades = np.zeros((len(found), 29), np.float32)
    grades[:20, 3] = 1
    judged = Judged.from_ranked(grades, whole=True, query_ids=found.judged.query_ids)
    found = replace(found, judged=judged)
    page = read(write_report(found, records=shelf, folder=tmp_path))
    assert "10 queries to which nothing in the base is relevant" in page.by_id("left-out").text
    assert "20 queries, 10 without a value" in page.by_id("figures").text
    assert not [each for each in page.every() if each.attributes.get("id") == "classes"]  # no classes, no table


def test_a_ranking_that_was_cut_has_a_report(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation(skill=0.0)
    table = np.asarray(found.shown_grades)
    judged = Judged.from_ranked(table, total=np.full(len(found), 4))
    found = replace(found, judged=judged)
    page = read(write_report(found, records=shelf, folder=tmp_path))
    assert "average precision, first 12" in page.by_id("worst").text
    assert "Mean average precision, first 12" in page.by_id("figures").all("li", "card")[0].text
    assert len(page.by_id("curves").all("figure")) == 3


def test_a_query_from_outside_is_shown_by_its_name(shelf: Shelf, tmp_path: Path) -> None:
    found = evaluation()
    Pillow.fromarray(picture(99)).save(tmp_path / "asked.png")
    found = replace(found, query_rows=np.full(len(found), -1))
    found = replace(found, query_sources=(str(tmp_path / "asked.png"),) * len(found))
    page = read(write_report(found, records=shelf, folder=tmp_path, queries=1))
    assert page.by_id("worst").all("h3")[0].text == "asked.png"
    assert page.by_id("worst").all("img")[0].attributes["alt"] == "query: asked.png"


def test_the_same_evaluation_gives_the_same_bytes(shelf: Shelf, tmp_path: Path) -> None:
    first = write_report(evaluation(), records=shelf, folder=tmp_path / "a").read_bytes()
    assert first == write_report(evaluation(), records=shelf, folder=tmp_path / "b" / "c").read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_written_is_a_sentence(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="could not be written"):
        write_report(evaluation(), records=shelf, folder=tmp_path / "file")


def test_sizes_out_of_range_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="thumbnail of 16"):
        write_report(evaluation(), records=shelf, folder=tmp_path, thumbnail=4)
    with pytest.raises(BadInput, match="results >= 1"):
        write_report(evaluation(), records=shelf, folder=tmp_path, results=0)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough(colours: dict[str, str]) -> None:
    for ground in ("ground", "card", "hollow"):
        for name in ("ink", "quiet", "good", "bad", "s1", "s2", "s3"):
            pair = sorted([luminance(colours[ground]), luminance(colours[name])])
            frame = ground == "hollow" and name not in ("ink", "quiet")  # no text in these colours stands there
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= (3 if frame else 4.5), f"{name} on {ground}"


def test_a_comparison_shows_its_verdicts_and_what_changed(shelf: Shelf, tmp_path: Path) -> None:
    first, second = evaluation(skill=1.0), evaluation(skill=3.0, drop=(0, 1))
    compared = compare_evaluations(first, second, ["map", "hit_rate@1"], by="query")
    path = write_comparison(compared, records=(shelf, shelf), names=("<old>", "new"), folder=tmp_path, queries=3)
    assert path.name == "comparison.html"
    page = read(path)
    rows = page.by_id("verdicts").all("tr")[1:]
    for row, one in zip(rows, compared.metrics.values(), strict=True):
        assert row.values == [one.first, one.second, one.difference, one.low, one.high, one.p_adjusted]
        assert row.all("td")[-1].text == "B is better"
    assert "B is better." in page.all("header")[0].text
    assert "<old>" in page.all("header")[0].text
    assert f"2 queries that only A has: {NAMES[0]}, {NAMES[1]}" in page.by_id("protocol").text
    gains = [article.all("header")[0].values for article in page.by_id("better").all("article")]
    assert len(gains) == 3
    assert [gain[2] for gain in gains] == np.sort(compared.differences)[:-4:-1].tolist()
    assert [gain[1] - gain[0] for gain in gains] == pytest.approx([gain[2] for gain in gains])
    article = page.by_id("better").all("article")[0]
    assert [heading.text for heading in article.all("h4")] == ["Query", "Results of A", "Results of B"]
    best = int(np.argmax(compared.differences))
    for side, part in zip((compared.first, compared.second), article.all("div", "results"), strict=True):
        shown = [image.attributes["alt"].split(": ")[1] for image in part.all("img")]
        assert shown == [NAMES[row] for row in side.shown[best, :6]]
