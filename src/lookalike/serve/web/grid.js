// The results. A tile has its size before its picture comes, so nothing moves when it does.

import { $, icon, make } from "./dom.js";
import { shown, sized } from "./pictures.js";
import { percent, say } from "./words.js";

const SIZE = 320; // pixels of a thumbnail's longer side: a tile of 180 on a screen of double density

/**
 * @typedef {{from: (hit: object) => void, add: (hit: object) => void, why: (hit: object) => void,
 *   judge: (hit: object, good: boolean|null) => void}} Deeds what a person can do with a hit
 */

/** @param {object[]} hits @param {Deeds} deeds */
export function drawHits(hits, deeds, { append = false } = {}) {
  const tiles = hits.map((hit) => tile(hit, deeds));
  if (append) $("results").append(...tiles);
  else $("results").replaceChildren(...tiles);
}

export function scoreOf(hit) {
  return hit.relevance ?? hit.score;
}

function tile(hit, deeds) {
  const name = hit.id.split("/").pop();
  const picture = make("button", { type: "button", className: "picture" });
  const image = shown(sized(hit.thumbnail, SIZE), name);
  image.addEventListener("error", () => image.replaceWith(make("span", { className: "gone" }, say("noPicture"))));
  picture.append(image);
  if (hit.region && hit.width && hit.height) {
    const { x0, y0, x1, y1 } = hit.region;
    picture.append(outline([x0 / hit.width, y0 / hit.height, x1 / hit.width, y1 / hit.height], image));
  }
  picture.addEventListener("click", () => (image.classList.contains("veiled") ? unveil(image, picture, hit) : deeds.from(hit)));
  label(picture, hit);
  if (hit.flagged) veil(image, picture);
  const view = make("div", { className: "view" }, picture, hit.score === undefined ? null : deedsOf(hit, deeds));
  const made = make("li", { className: "tile", "data-id": hit.id }, view, about(hit, name));
  made.hit = hit;
  return made;
}

function label(picture, hit) {
  const from = say("searchFrom", { name: hit.id.split("/").pop() });
  picture.setAttribute("aria-label", hit.score === undefined ? from : `${from}, ${scoreWords(hit)}`);
  picture.title = hit.id;
}

/** Blur a picture that the content filter has caught, until somebody wants to see it. */
function veil(image, picture) {
  image.classList.add("veiled");
  picture.append(make("span", { className: "veil" }, say("unsafe")));
  picture.setAttribute("aria-label", say("unsafe"));
}

function unveil(image, picture, hit) {
  image.classList.remove("veiled");
  picture.querySelector(".veil").remove();
  label(picture, hit);
}

// Thumbnails are fitted into a square: the outline has to know where the picture lies in it.
function outline([x0, y0, x1, y1], image) {
  const made = make("span", { className: "region", hidden: true });
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    const [w, h] = width >= height ? [1, height / width] : [width / height, 1];
    const place = (share, side) => `${((1 - side) / 2 + share * side) * 100}%`;
    Object.assign(made.style, { left: place(x0, w), top: place(y0, h), width: `${(x1 - x0) * w * 100}%`, height: `${(y1 - y0) * h * 100}%` });
    made.hidden = false;
  });
  return made;
}

export function scoreWords(hit) {
  const number = hit.score.toLocaleString(document.documentElement.lang, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  const said = [say("alike", { score: number })];
  if (hit.relevance !== null && hit.relevance !== undefined) said.unshift(say("relevance", { share: percent(hit.relevance) }));
  return said.join(", ");
}

function about(hit, name) {
  const made = make("div", { className: "about" }, make("span", { className: "name", title: hit.id }, name));
  if (hit.score === undefined) return made;
  const relevance = hit.relevance ?? null;
  made.append(make("span", { className: "score", title: scoreWords(hit) }, relevance === null ? hit.score.toFixed(3) : `${percent(relevance)} · ${hit.score.toFixed(2)}`));
  const bar = make("i");
  bar.style.width = `${Math.max(0, Math.min(1, scoreOf(hit))) * 100}%`;
  made.append(make("span", { className: "meter", "aria-hidden": "true" }, bar));
  const known = Object.entries(hit.metadata ?? {}).map(([column, value]) => [column, plain(value)]);
  const words = hit.group ? `${plain(hit.group.value ?? "–")} (${hit.group.size})` : known.map(([, value]) => value).join(" · ");
  if (words) made.append(make("span", { className: "extra", title: known.map((pair) => pair.join(": ")).join("\n") }, words));
  return made;
}

export function plain(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function deedsOf(hit, deeds) {
  const button = (name, label, press, pressed) =>
    make("button", { type: "button", className: `deed ${name}`, title: say(label), "aria-label": say(label), "aria-pressed": pressed, onclick: press }, icon(name));
  const judge = (good) => () => {
    hit.judged = hit.judged === good ? null : good;
    for (const [each, meaning] of [[up, true], [down, false]]) each.setAttribute("aria-pressed", String(hit.judged === meaning));
    deeds.judge(hit, hit.judged);
  };
  const up = button("up", "up", judge(true), "false");
  const down = button("down", "down", judge(false), "false");
  const made = make("div", { className: "deeds" }, up, down, button("add", "more_like", () => deeds.add(hit)), button("why", "why", () => deeds.why(hit)));
  if (hit.link) {
    const out = make("a", { className: "deed out", href: hit.link, target: "_blank", rel: "noopener noreferrer", title: say("original"), "aria-label": say("original") }, icon("out"));
    made.append(out);
  }
  return made;
}

/** Let the arrows move among the tiles, and letters do what their buttons do. */
export function keyboard() {
  $("results").addEventListener("keydown", (event) => {
    const current = event.target.closest(".tile");
    if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = [...$("results").children];
    const at = tiles.indexOf(current);
    const columns = Math.max(1, tiles.filter((each) => each.offsetTop === tiles[0].offsetTop).length);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: tiles.length - 1 - at };
    const presses = { u: ".up", d: ".down", w: ".why", a: ".add" };
    if (event.key in steps) {
      const next = tiles[at + steps[event.key]];
      next?.querySelector(".picture").focus();
      next?.scrollIntoView({ block: "nearest" });
    } else if (event.key in presses) current.querySelector(presses[event.key])?.click();
    else return;
    event.preventDefault();
  });
}
