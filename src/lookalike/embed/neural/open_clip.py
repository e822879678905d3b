"""Models of image and text by the names of open_clip, such as ``open_clip:ViT-B-32/laion2b_s34b_b79k``: exported once.

Needs the extra ``models`` for the export, and torch no more after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, MissingExtra, ModelError, UnknownName
from ...nearest_name import choices, did_you_mean, listed
from .exported import Made, Wanted, loading, open_exported, parse_exported, unreachable
from .onnx import OnnxEmbedder
from .preprocess import Preprocess

if TYPE_CHECKING:
    from .repository import Repository

__all__ = ["open_open_clip"]

_HUB = "hf-hub:"
_FILES = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_FILTERS = {"bilinear": 2, "bicubic": 3}


def open_open_clip(name: str, *, device: str = "auto", threads: int | None = None) -> OnnxEmbedder:
    """Open a model of open_clip by its name: both towers and the tokenizer, exported at the first use and kept.

    Preprocessing is that of the weights' own configuration. The weights come from the hub (``$HF_ENDPOINT``), or from a
    file. Weights that were trained with QuickGELU get it, whichever of open_clip's two names is given.

    Args:
        name: ``ARCHITECTURE/TAG``; ``ARCHITECTURE/PATH`` or ``ARCHITECTURE?checkpoint=PATH``, weights of one's own;
            ``ARCHITECTURE/TAG?checkpoint=PATH``, prepared for as that tag is; or ``hf-hub:ORG/NAME``, a repository of
            the hub with an ``open_clip_config.json``.
        device: as ``open_onnx`` takes it.
        threads: as ``open_onnx`` takes it.

    Raises:
        UnknownName: open_clip has no such architecture or tag. NoSuchFile: no such checkpoint.
        BadInput: neither tag nor checkpoint is named.
        MissingExtra: not exported yet, and torch or open_clip is not installed.
        ModelError: weights that cannot be fetched or do not fit, or a model that cannot be exported.
    """
    wanted = parse_exported("open_clip", name)
    architecture, slash, rest = wanted.name.partition("/")
    if slash and wanted.checkpoint is None and not wanted.name.startswith(_HUB):
        path = Path(rest).expanduser()
        if rest.lower().endswith(_SUFFIXES) or "/" in rest or path.is_file():
            wanted = Wanted("open_clip", architecture, path.absolute())
    return open_exported(wanted, _export, device=device, threads=threads)


def _export(wanted: Wanted, folder: Path) -> Made:
    with loading("open_clip"):
        import open_clip
        import torch

        from .checkpoint import misfit
        from .export import export_tower, libraries, quiet, state_hash, write_preprocess
    source, config, options = _source(open_clip, wanted)
    try:
        with quiet():
            model = open_clip.create_model(**options, require_pretrained=True)
    except RuntimeError as wrong:
        raise misfit(source, wanted.name, wrong) from wrong
    except OSError as failed:  # a text tower of transformers, whose configuration is asked for by name
        raise unreachable(f"a part of {wanted}", failed) from failed
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise ModelError(f"the configuration of {wanted} cannot be used: {type(wrong).__name__}: {wrong}.") from wrong
    except ImportError as missing:
        raise MissingExtra(
            f"the text tower of {wanted} needs the package 'transformers', which is not installed.",
            hint="Try: pip install transformers",
        ) from missing
    prepared = model.visual.preprocess_cfg
    preprocess = _preprocess(prepared, wanted.name)
    text = config["text_cfg"]
    length = int(text.get("context_length", 77))
    _write_words(open_clip, config, folder, length)
    write_preprocess(preprocess, folder)
    seed = torch.Generator().manual_seed(0)
    vocabulary = int(getattr(model, "vocab_size", None) or text.get("vocab_size", 49408))
    towers = {
        "vision": (model.encode_image, torch.randn(2, 3, *(preprocess.output or ()), generator=seed)),
        "text": (model.encode_text, torch.randint(1, vocabulary, (2, length), generator=seed)),
    }
    names = {"vision": ("pixel_values", "image_embeds"), "text": ("input_ids", "text_embeds")}
    for tower, (encode, example) in towers.items():
        reads, gives = names[tower]
        module = _as_module(torch, model, encode)
        export_tower(module, example, folder / f"{tower}_model.onnx", reads=reads, gives=gives, name=str(wanted))
    weights = state_hash({"library": "open_clip", "architecture": config}, model.state_dict())
    return Made(wanted.name, weights, libraries("open_clip_torch"))


def _as_module(torch: Any, model: Any, encode: Any) -> Any:
    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, given: Any) -> Any:
            return encode(given, normalize=False)

    return Tower()


def _source(open_clip: Any, wanted: Wanted) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return where the weights are from, the architecture, and what ``create_model`` takes to load all of them."""
    from .checkpoint import read_state
    from .model_file import read_json
    from .repository import Repository

    if wanted.name.startswith(_HUB) and wanted.checkpoint is None:
        repository = Repository(*wanted.name.removeprefix(_HUB).split("@", 1))
        file, config = _fetch(repository, _FILES), repository.file("open_clip_config.json")
        about = read_json(config).get("model_cfg") if config is not None else None
        if config is None or not isinstance(about, dict):
            raise ModelError(f"{repository} has no open_clip_config.json with a model_cfg: no repository of open_clip.")
        read_state(file)  # refuses a pickle in our words
        return str(repository), about, {"model_name": f"local-dir:{config.parent}"}
    architecture, _, tag = wanted.name.partition("/")
    about = open_clip.get_model_config(architecture)
    if about is None:
        close = did_you_mean(architecture, open_clip.list_models(), near=3)
        raise UnknownName(
            f"open_clip has no architecture {architecture!r}.",
            hint=f"{close} open_clip.list_models() names them all.".lstrip(),
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag and tag.lower().replace("-", "_") not in tags:
        known = [f"{architecture}/{each}" for each in tags]
        raise UnknownName(
            f"open_clip has no weights {tag!r} of {architecture}.",
            hint=choices(wanted.name, known, near=3, shown=12),
        )
    if not tag and wanted.checkpoint is None:
        raise BadInput(
            f"'{wanted}' does not say which weights.",
            hint=f"Write open_clip:{architecture}/TAG with one of {listed(tags, 12)}; or ?checkpoint=PATH.",
        )
    published = dict(open_clip.get_pretrained_cfg(architecture, tag)) if tag else {}
    if published.get("quick_gelu"):
        about["quick_gelu"] = True
    if wanted.checkpoint is not None:
        source, file = str(wanted.checkpoint), wanted.checkpoint
    else:
        source, file = _download(open_clip, published, f"{wanted.name} of open_clip")
    read_state(file)
    options = {
        "model_name": architecture,
        "pretrained": str(file),
        "force_quick_gelu": bool(about.get("quick_gelu")),
        "force_preprocess_cfg": {key: published[key] for key in _PREPARED if published.get(key) is not None},
    }
    return source, about, options


_PREPARED = ("mean", "std", "interpolation", "resize_mode")


def _download(open_clip: Any, published: dict[str, Any], what: str) -> tuple[str, Path]:
    """Fetch published weights: from the hub, or, of the few that are not there, from their own address."""
    from .exported import exported_folder
    from .repository import Repository

    if published.get("hf_hub"):
        name, _, file = str(published["hf_hub"]).rpartition("/")
        repository = Repository(name)
        return str(repository), _fetch(repository, [f"{Path(file).stem}.safetensors", file] if file else _FILES)
    try:
        cache = str(exported_folder().parent / "open_clip")
        return str(published.get("url")), Path(open_clip.download_pretrained(published, cache_dir=cache))
    except (OSError, RuntimeError) as failed:
        raise unreachable(what, failed) from failed


def _fetch(repository: Repository, names: list[str]) -> Path:
    file = repository.first(names)
    if file is None:
        raise ModelError(f"{repository} has no weights of open_clip ({', '.join(names)}).")
    repository.check(file)
    return file


def _write_words(open_clip: Any, config: dict[str, Any], folder: Path, length: int) -> None:
    """Write the tokenizer: CLIP's own, or the published one that the configuration names."""
    from .clip_words import write_bpe, write_published
    from .repository import Repository

    text = config["text_cfg"]
    options = dict(text.get("tokenizer_kwargs") or {})
    clean, strip = options.pop("clean", None), bool(options.pop("strip_sep_token", False))
    if options or text.get("tokenizer_mode"):
        raise ModelError(f"its tokenizer needs {sorted(options) or text['tokenizer_mode']!r}, which is not known here.")
    named = text.get("hf_tokenizer_name")
    if not named:
        merges = Path(open_clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz")
        write_bpe(merges, folder, length=length, clean=clean or "lower")
        return
    repository = Repository(str(named))
    source = repository.file("tokenizer.json")
    if source is None:
        raise ModelError(f"{repository} has no tokenizer.json, which its text tower needs.", hint="Take another model.")
    config_file = repository.file("tokenizer_config.json")
    write_published(source, config_file, folder, length=length, clean=clean or "whitespace", strip_end=strip)


def _preprocess(prepared: dict[str, Any], name: str) -> Preprocess:
    """Translate open_clip's own evaluation transform: open_clip/transform.py, image_transform."""
    size = prepared["size"]
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    mode = prepared.get("resize_mode") or "shortest"
    if mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
        raise ModelError(
            f"open_clip:{name} prepares images of {height} x {width} in the mode {mode!r}, which is not known here.",
            hint="Take another model.",
        )
    return Preprocess(
        resize=(height, width) if mode == "squash" else None,
        shortest_edge=height if mode == "shortest" else None,
        crop=(height, width) if mode == "shortest" else None,
        resample=_FILTERS.get(prepared["interpolation"], 3),
        mean=tuple(prepared["mean"]),
        std=tuple(prepared["std"]),
        crop_rounding="even",
    )
