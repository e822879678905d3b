"""What travels: the bodies and answers of the REST API. The one module of this room that ``client`` knows.

Unknown keys of a request are refused; unknown keys of an answer are to be ignored, so that answers may grow.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Box",
    "Click",
    "CollectionInfo",
    "Collections",
    "Condition",
    "DeleteMany",
    "Deleted",
    "ErrorBody",
    "ErrorDetail",
    "ExplainRequest",
    "Explanation",
    "Facet",
    "Feedback",
    "FeedbackSaved",
    "GetMany",
    "GroupInfo",
    "Health",
    "Hit",
    "Job",
    "JobRequest",
    "Jobs",
    "KnnHit",
    "KnnMetadata",
    "KnnMetadataRequest",
    "KnnRequest",
    "PutMany",
    "PutRecord",
    "PutRecords",
    "QueryBody",
    "QueryItem",
    "Record",
    "Records",
    "RegionInfo",
    "Samples",
    "SavedRecord",
    "SavedRecords",
    "SearchAnswer",
    "SearchRequest",
    "Session",
    "SessionInfo",
    "SkippedRecord",
    "SpaceInfo",
]

# x0, y0, x1, y1: pixels from the upper left corner, or fractions where all are at most 1
Box = Annotated[list[float], Field(min_length=4, max_length=4, examples=[[0.1, 0.2, 0.6, 0.9]])]
Kind = Literal["id", "text", "url", "image", "upload", "vector"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class ErrorDetail(_Answer):
    """What was wrong, and what to do; ``code`` is stable."""

    code: str = Field(examples=["bad_query"])
    message: str = Field(examples=["no image has the id 'cat.jpg'."])
    hint: str = ""


class ErrorBody(_Answer):
    """The body of every answer of 400 and above."""

    error: ErrorDetail


class QueryItem(_Request):
    """One part of a query.

    ``value`` is an id, words, an http(s) URL, an image in base64 (``image``; a ``data:`` URL will do), or the name of
    the multipart field that holds the file (``upload``). A negative weight means less of this.
    """

    kind: Kind
    value: str = ""
    weight: float = Field(default=1.0, description="other than 0; negative: less of this")
    box: Box | None = Field(default=None, description="search by this part of the picture")
    vector: list[float] | None = Field(default=None, description="of kind vector: one number a dimension")


class Condition(_Request):
    """A condition on a metadata column; see docs/search.md."""

    column: str = Field(min_length=1)
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "missing"] = "="
    value: Any = None


class QueryBody(_Request):
    """What is searched for: the weighted mean of its items."""

    items: list[QueryItem] = Field(default_factory=list)


class SearchRequest(_Request):
    """A search; every key but ``query`` has a default."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"query": {"items": [{"kind": "id", "value": "cats/tabby.jpg"}]}, "k": 20},
                {
                    "query": {
                        "items": [
                            {"kind": "url", "value": "https://example.com/cat.jpg", "box": [0.2, 0.1, 0.8, 0.9]},
                            {"kind": "text", "value": "at night", "weight": 0.5},
                        ]
                    },
                    "k": 10,
                    "not_same": True,
                },
                {"query": {"items": []}, "positive": ["a.jpg", "b.jpg"], "negative": ["c.jpg"]},
            ]
        },
    )

    query: QueryBody = Field(default_factory=lambda: QueryBody(items=[]))
    positive: list[str] = Field(default_factory=list, description="ids of images that are what is wanted")
    negative: list[str] = Field(default_factory=list, description="ids of images that are not")
    k: int = Field(default=20, ge=1, description="hits of one page")
    offset: int = Field(default=0, ge=0, description="hits to pass over; `cursor` also holds while images come and go")
    cursor: str | None = Field(default=None, description="`next` of the page before, with the same request otherwise")
    min_relevance: float | None = Field(default=None, ge=0, le=1, description="needs a calibrated collection")
    not_same: bool = Field(default=False, description="without the query itself, its near-copies and its group")
    group_by: str | None = Field(default=None, description="one hit for each value of this metadata column")
    spaces: dict[str, float] | str | None = Field(
        default=None, description='vector spaces searched together, with weights, or "learned"'
    )
    fusion: Literal["sum", "rrf"] = Field(default="sum", description="how several spaces become one ranking")
    merge: Literal["best", "mean", "gem"] = Field(default="best", description="with group_by: what stands for a group")
    metadata: str = Field(default="", description="columns that are a part of the score", examples=["tags:0.2"])
    like: dict[str, Any] | None = Field(default=None, description="values that count as the query's metadata")
    augment: str = Field(default="", description="views of the query's pictures whose vectors are averaged")
    where: str | Condition | list[str | Condition] | None = Field(
        default=None, description="conditions on metadata that every hit fulfils", examples=[["price<20", "brand=acme"]]
    )
    rerank: list[str] = Field(default_factory=list, description="re-ranking stages by name")


class GroupInfo(_Answer):
    """The images that share a value of a metadata column, of which a hit stands for all."""

    by: str
    value: Any = None
    size: int


class RegionInfo(_Answer):
    """The part of the image that is most alike: pixels of the upright original, x1 and y1 exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int
    score: float = Field(description="the detector's, in [0, 1]")
    label: str = Field(description="the detector's; may be empty")


class Hit(_Answer):
    """One result; ``score`` is of the last stage, ``scores`` has those of each."""

    rank: int = Field(description="from 1, counted through all pages")
    id: str
    row: int
    score: float
    relevance: float | None = Field(default=None, description="probability, where the collection is calibrated")
    scores: dict[str, float] = Field(default_factory=dict)
    found_by: Literal["vector", "text", "both"] = "vector"
    group: GroupInfo | None = None
    region: RegionInfo | None = Field(default=None, description="where a part is more alike than the whole image")
    metadata: dict[str, Any] = Field(default_factory=dict)
    source: str | None = Field(default=None, description="where it lies on the server, where the operator shows that")
    link: str | None = Field(default=None, description="the picture, relative to the server's root")
    thumbnail: str | None = Field(default=None, description="a small picture; ?side= asks for another size")
    width: int = 0
    height: int = 0
    flagged: bool | None = Field(default=None, description="true: the content filter marks it")


class SearchAnswer(_Answer):
    """The hits of one page, best first."""

    search_id: str = Field(description="what POST /v1/feedback refers to")
    query_id: str = Field(description="the query in the click log: an id, sha256:… of an image, or words")
    query: dict[str, Any]
    hits: list[Hit]
    took_ms: dict[str, float]
    note: str | None = None
    next: str | None = Field(default=None, description="the cursor of the next page; absent on the last")


class Record(_Answer):
    """One stored image."""

    id: str
    row: int
    width: int
    height: int
    metadata: dict[str, Any]
    content_hash: str = Field(default="", description="sha256 of the file, in hex")
    indexed: str = Field(description="when, in UTC")
    source: str | None = None
    link: str | None = None
    thumbnail: str | None = None


class PutRecord(_Request):
    """An image to store: exactly one of ``image`` (base64), ``url`` and ``upload`` (a field of a multipart body)."""

    image: str | None = None
    url: str | None = None
    upload: str | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="none: a replaced record keeps its own")


class PutMany(PutRecord):
    """One of several images to store."""

    id: str = Field(min_length=1)


class PutRecords(_Request):
    """Images to store at once."""

    records: list[PutMany] = Field(default_factory=list)


class SavedRecord(_Answer):
    """What became of an image that was stored."""

    id: str
    row: int
    status: Literal["added", "replaced"]


class SkippedRecord(_Answer):
    """An image that could not be used, and why."""

    id: str
    error: ErrorDetail


class SavedRecords(_Answer):
    """What became of each image of a batch; one that cannot be used stops no other."""

    saved: list[SavedRecord]
    skipped: list[SkippedRecord]


class Records(_Answer):
    """Stored images."""

    records: list[Record]
    next: int | None = Field(default=None, description="`after` of the next page; absent on the last")


class GetMany(_Request):
    """Ids to look up; those that are not there are passed over."""

    ids: list[str]


class Samples(_Answer):
    """Some images of a collection."""

    records: list[Record]


class DeleteMany(_Request):
    """Ids to remove; those that are not there are passed over."""

    ids: list[str]


class Deleted(_Answer):
    """How many records were removed."""

    deleted: int


class SpaceInfo(_Answer):
    """A vector space of a collection."""

    dim: int
    similarity: str
    embedder: str
    text: bool | None = Field(default=None, description="whether words can be compared with pictures in it")


class Facet(_Answer):
    """A column of the metadata, for those who offer filters."""

    name: str
    type: Literal["number", "text", "tags"]
    values: list[str] | None = Field(None, description="where there are at most 50, most frequent first")


class CollectionInfo(_Answer):
    """A collection on the server."""

    name: str
    images: int
    space: str
    spaces: dict[str, SpaceInfo]
    calibrated: bool
    facets: list[Facet] = Field(default_factory=list, description="the same columns, and what they hold")
    columns: list[str] = Field(description="metadata columns that were seen, for filters and groups")
    version: int


class Collections(_Answer):
    """All collections on the server."""

    collections: list[CollectionInfo]


class JobRequest(_Request):
    """Work in the background: index a folder of the server, or the files that come with the request."""

    collection: str = Field(min_length=1)
    source: str | None = Field(
        default=None,
        description="a folder, file, archive or list on the server (admin, below the operator's import_roots)",
    )
    prune: bool = Field(default=False, description="with source: also remove the records of files that are gone")
    prefix: str = Field(default="", max_length=1024, description="with files: what stands before each name in its id")


class Job(_Answer):
    """A job and how far it is."""

    id: str
    collection: str
    kind: Literal["index", "upload"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created: str
    done: int = Field(description="images looked at")
    total: int | None = Field(default=None, description="where it is known")
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    examples: list[SkippedRecord] = Field(default_factory=list, description="the first that were skipped, with reasons")
    error: ErrorDetail | None = None


class Jobs(_Answer):
    """The jobs of all collections, newest first."""

    jobs: list[Job]


class Click(_Request):
    """A shown result that a person judged."""

    id: str
    clicked: bool = True
    judged: Literal[-1, 0, 1] = Field(default=0, description="thumbs: 1 up, -1 down")


class Feedback(_Request):
    """What a person saw and clicked: the click log that training reads."""

    collection: str
    search_id: str = Field(min_length=1, max_length=64)
    query_id: str = Field(min_length=1, max_length=4096)
    shown: list[str] = Field(min_length=1, max_length=1000, description="ids in the order that they were shown")
    first_position: int = Field(default=1, ge=1, description="the position of the first of them")
    clicks: list[Click] = Field(default_factory=list)
    time: float | None = Field(default=None, description="seconds since the epoch; none: now")


class FeedbackSaved(_Answer):
    """How many rows of the click log were written."""

    rows: int


class ExplainRequest(_Request):
    """Why an image is a result of a search: which of its parts made the score."""

    query: QueryBody = Field(default_factory=lambda: QueryBody(items=[]))
    positive: list[str] = Field(default_factory=list)
    negative: list[str] = Field(default_factory=list)
    id: str = Field(min_length=1, description="the result")
    cells: int = Field(default=8, ge=2, le=16, description="of a side of the grid")
    picture: bool = Field(default=False, description="answer with a JPEG instead: the parts that count, in colour")


class Explanation(_Answer):
    """Which parts of a result made its score."""

    id: str
    score: float
    grid: list[list[float]] = Field(
        description="rows of cells, from the top left; how much the score falls when a cell is covered"
    )


class Session(_Request):
    """A key, to be kept in a cookie that the page's pictures send along."""

    key: str


class SessionInfo(_Answer):
    """Who the server takes the caller for."""

    needed: bool = Field(description="whether this server needs keys")
    signed_in: bool
    name: str = ""
    role: Literal["search", "write", "admin"] | None = None


class Health(_Answer):
    """Whether the server works."""

    status: Literal["ok", "starting", "stopping", "failing"]
    version: str
    collections: dict[str, str] = Field(default_factory=dict)


class KnnRequest(_Request):
    """A search as clip-retrieval's clients send it; of several things to search by the first of these counts."""

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"text": "a cat", "modality": "image", "num_images": 20}]},
    )

    text: str | None = None
    image: str | None = Field(default=None, description="in base64")
    image_url: str | None = None
    embedding_input: list[float] | None = None
    modality: Literal["image", "text"] = "image"
    num_images: int = Field(default=100, ge=0, description="results with metadata")
    num_result_ids: int | None = Field(default=None, ge=1, description="results in all; none: as many")
    indice_name: str | None = Field(default=None, description="the collection; none: the first")
    use_mclip: bool = False
    deduplicate: bool = Field(default=False, description="of near-copies, the best alone")
    use_safety_model: bool = Field(default=False, description="leave out what the classifier `safety` catches")
    use_violence_detector: bool = Field(default=False, description="leave out what the classifier `violence` catches")
    aesthetic_score: int | Literal[""] | None = Field(default=None, description="the rating that is wanted")
    aesthetic_weight: Annotated[float, Field(ge=0)] | Literal[""] | None = Field(
        default=None, description="of the rating, beside 1 for the likeness"
    )
    columns_to_return: list[str] | None = Field(default=None, description="not of clip-retrieval; none: the setting")


class KnnHit(_Answer):
    """One result as clip-retrieval gives it, with the columns of the metadata that are returned."""

    id: int = Field(description="the row")
    similarity: float
    url: str | None = None
    caption: str | None = None
    image_path: str | None = None
    image: str | None = Field(default=None, description="a JPEG in base64, of what is a file")
    flagged: bool | None = Field(default=None, description="true: the content filter marks it")


class KnnMetadataRequest(_Request):
    """Rows whose metadata is wanted."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"indice_name": "cats", "ids": [1, 2]}]})

    ids: list[int]
    indice_name: str | None = Field(default=None, description="the collection; none: the first")
    columns_to_return: list[str] | None = None


class KnnMetadata(_Answer):
    """The metadata of a row; none where there is no such row."""

    id: int
    metadata: dict[str, Any]
