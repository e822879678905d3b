// The page: an address becomes a search, a search becomes tiles, and what a person does becomes the next address.

import * as api from "./api.js";
import { $, make } from "./dom.js";
import { drawFilters } from "./filters.js";
import { drawHits, keyboard, scoreOf } from "./grid.js";
import { filesOf, pictureOfRecord, remember, rename, smallAddress } from "./pictures.js";
import { drawItems, listen, nameOf } from "./query.js";
import { region } from "./region.js";
import { PAGE, address, item, nothing, understand } from "./state.js";
import { drawTheme, listenTheme } from "./theme.js";
import { amend, arrive, drawTrail, stepTo } from "./trail.js";
import { showWhy } from "./why.js";
import { currentLanguage, fill, percent, say, setLanguage } from "./words.js";

/** What is there to be searched, what is searched for now, and what was found. */
const page = { known: [], about: null, search: nothing(), answer: null, hits: [], running: null };

// -- searching ------------------------------------------------------------------------------------------------------

let opened;
const ready = new Promise((resolve) => (opened = resolve)); // a person may be quicker than the first answer

async function go(change) {
  await ready;
  const next = { ...page.search, collection: page.about.name, k: PAGE, ...change };
  stepTo(address(next));
  page.search = next;
  run();
}

function refine(change) {
  page.search = { ...page.search, ...change };
  amend(address(page.search));
  run();
}

async function run() {
  page.running?.abort();
  draw();
  if (!page.search.items.length) return start();
  const running = (page.running = new AbortController());
  $("results").setAttribute("aria-busy", "true");
  $("count").textContent = say("searching");
  try {
    const answer = await ask(page.search.k, { signal: running.signal });
    performance.mark("answered");
    page.answer = answer;
    page.hits = answer.hits;
    remember(page.search.collection, answer.hits);
    drawFound();
    requestAnimationFrame(() => setTimeout(() => performance.measure("painted", "answered")));
  } catch (problem) {
    if (problem.name === "AbortError") return;
    fail(problem);
  }
  $("results").removeAttribute("aria-busy");
}

const ask = (k, more) => api.find(page.search, filesOf(page.search), { k, ...more });

async function more() {
  $("more").disabled = true;
  try {
    const answer = await ask(PAGE, { cursor: page.answer.next });
    const place = $("results").children.length;
    page.answer = answer;
    remember(page.search.collection, answer.hits);
    page.hits = [...page.hits, ...answer.hits];
    page.search.k = page.hits.length;
    amend(address(page.search));
    drawFound({ append: answer.hits });
    $("results").children[place]?.querySelector(".picture").focus({ preventScroll: true });
  } catch (problem) {
    fail(problem);
  }
  $("more").disabled = false;
}

/** The page before the first search: some pictures of the collection, to begin with one of them. */
async function start() {
  Object.assign(page, { answer: null, hits: [] });
  $("results").removeAttribute("aria-busy"); // of a search that was left
  $("count").textContent = "";
  try {
    const some = page.about.images ? await api.samples(page.about.name, 24) : [];
    if (page.search.items.length) return;
    remember(page.about.name, some);
    drawHits(some, deeds);
    $("results").classList.add("starters");
    $("count").textContent = some.length ? say("starters", { n: page.about.images }) : "";
    if (!some.length) empty(say("emptyCollection"), say("emptyCollectionText"));
  } catch (problem) {
    fail(problem);
  }
}

// -- drawing --------------------------------------------------------------------------------------------------------

function draw() {
  const { search, about } = page;
  const searched = search.items.length > 0;
  document.body.dataset.state = searched ? "results" : "start";
  document.title = searched ? `${search.items.map(nameOf).join(" + ")} – lookalike` : "lookalike";
  for (const id of ["problem", "empty", "note", "more"]) $(id).hidden = true;
  $("side").hidden = !searched;
  if (!searched) $("results").replaceChildren();
  $("results").classList.remove("starters");
  drawItems(search, {
    remove: (place) => go({ items: search.items.filter((_, each) => each !== place) }),
    turn: (place) => go({ items: search.items.map((each, at) => (at === place ? { ...each, weight: -each.weight } : each)) }),
  });
  drawAsked();
  $("least").value = search.least;
  drawLeast();
  $("not-same").checked = search.notSame;
  drawGroups(about.facets ?? []);
  drawFilters(about.facets ?? [], search.where, (where) => refine({ where, k: PAGE }));
  drawTrail();
}

function drawAsked() {
  const { search } = page;
  const place = search.items.findIndex(({ kind, weight }) => weight > 0 && (kind === "image" || kind === "id"));
  $("asked").hidden = place < 0;
  if (place < 0) return;
  const each = search.items[place];
  const image = each.kind === "image" ? make("img", { src: smallAddress(each), alt: nameOf(each), draggable: false }) : pictureOfRecord(search.collection, each.value, 480, nameOf(each));
  const boxed = (box) => go({ items: search.items.map((other, at) => (at === place ? { ...other, box } : other)) });
  $("stage").replaceChildren(region(image, each.box, boxed));
  $("asked-name").textContent = each.kind === "id" ? each.value : nameOf(each);
  $("whole").hidden = !each.box;
  $("whole").onclick = () => boxed(null);
}

function drawLeast() {
  const calibrated = page.hits.some((hit) => typeof hit.relevance === "number");
  $("least-name").textContent = say(calibrated ? "leastRelevance" : "leastScore");
  $("least-value").textContent = calibrated ? percent(page.search.least) : page.search.least.toFixed(2);
}

function drawGroups(columns) {
  $("group-option").hidden = !columns.length;
  const choices = [["", say("groupNone")], ...columns.map(({ name }) => [name, name])];
  $("group").replaceChildren(...choices.map(([value, text]) => make("option", { value, selected: value === page.search.group }, text)));
}

function drawFound({ append } = {}) {
  const { search, hits, answer } = page;
  const passing = (hit) => search.least <= 0 || scoreOf(hit) >= search.least;
  const kept = hits.filter(passing);
  drawLeast();
  drawJudged();
  drawHits((append ?? hits).filter(passing), deeds, { append: Boolean(append) });
  const hidden = hits.length - kept.length;
  $("count").textContent = hidden ? say("countHidden", { n: kept.length, hidden }) : say("count", { n: kept.length, ms: Math.round(answer.took_ms.total) });
  $("note").textContent = answer.note ?? "";
  $("note").hidden = !answer.note;
  $("more").hidden = hidden > 0 || !answer.next;
  $("empty").hidden = true;
  if (kept.length) return;
  if (hits.length) empty(say("emptyTitle"), say("emptyThreshold", { best: typeof hits[0].relevance === "number" ? percent(hits[0].relevance) : hits[0].score.toFixed(3) }), "emptyLower", () => setLeast(0));
  else empty(say("emptyTitle"), answer.note ? "" : say("emptyText"), search.where.length || search.notSame ? "emptyClear" : "", () => refine({ where: [], notSame: false }));
}

function empty(title, text, deed, act) {
  $("empty").replaceChildren(make("strong", {}, title), text);
  if (deed) $("empty").append(make("br"), make("button", { type: "button", className: "wide", onclick: act }, say(deed)));
  $("empty").hidden = false;
}

function fail(problem) {
  $("results").removeAttribute("aria-busy");
  $("count").textContent = "";
  if (problem.status === 401) return askKey();
  const message = problem.code === "offline" ? say("offline") : problem.status === 503 ? say("busy") : problem.message;
  const hint = problem.code === "offline" ? say("offlineHint") : problem.hint;
  $("problem").replaceChildren(message, hint ? make("span", { className: "hint" }, hint) : "", make("br"), make("button", { type: "button", className: "small", onclick: run }, say("retry")));
  $("problem").hidden = false;
}

// -- what a person does ---------------------------------------------------------------------------------------------

const deeds = {
  from(hit) {
    if (page.answer) tell(hit, { clicked: true, judged: 0 });
    go({ items: [item("id", hit.id)], where: page.search.where });
    scrollTo({ top: 0 });
  },
  add: (hit) => go({ items: [...page.search.items, item("id", hit.id)] }),
  why: (hit) => showWhy(page.search, hit),
  judge(hit, good) {
    tell(hit, { clicked: false, judged: good === null ? 0 : good ? 1 : -1 });
    drawJudged();
  },
};

/** Relevance feedback (Rocchio): results that were judged join the query, good ones with half a weight, bad ones against it. */
function drawJudged() {
  const judged = page.hits.filter((hit) => typeof hit.judged === "boolean");
  $("judged").hidden = !judged.length;
  $("judged-text").textContent = say("judged", { good: judged.filter((hit) => hit.judged).length, bad: judged.filter((hit) => !hit.judged).length });
  $("judged-go").onclick = () => go({
    items: [...page.search.items, ...judged.map((hit) => item("id", hit.id, { weight: hit.judged ? 0.5 : -0.25 }))],
  });
}

function tell(hit, more) {
  const { search_id, query_id } = page.answer;
  const said = { collection: page.search.collection, search_id, query_id, shown: page.hits.map(({ id }) => id), clicks: [{ id: hit.id, ...more }] };
  api.feedback(said).catch(() => {}); // a log that fails must not stand in a person's way
}

function setLeast(value) {
  page.search.least = value;
  $("least").value = value;
  amend(address(page.search));
  drawLeast();
  if (page.answer) drawFound();
}

function askKey() {
  $("key").showModal();
}

function listenAll() {
  listen((items, { add }) => go({ items: add ? [...page.search.items, ...items] : items }), fail, () => page.search.items);
  $("least").addEventListener("input", () => setLeast(Number($("least").value)));
  $("not-same").addEventListener("change", () => refine({ notSame: $("not-same").checked, k: PAGE }));
  $("group").addEventListener("change", () => refine({ group: $("group").value, k: PAGE }));
  $("more").addEventListener("click", more);
  $("language").addEventListener("change", () => {
    setLanguage($("language").value);
    drawTheme();
    run();
  });
  $("collection").addEventListener("change", () => open($("collection").value).then(() => go({ ...nothing(), items: [] })));
  $("home").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ ...nothing(), items: [] });
  });
  $("help").addEventListener("click", () => {
    const keys = { "/": "keySlash", "← ↑ → ↓": "keyArrows", Enter: "keyEnter", W: "keyWhy", U: "keyUp", D: "keyDown", A: "keyAdd", "Alt ←": "keyBack" };
    $("key-list").replaceChildren(...Object.entries(keys).flatMap(([key, means]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, say(means))]));
    $("keys").showModal();
  });
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    api.useKey($("key-text").value.trim()).then(
      () => {
        $("key").close();
        boot();
      },
      () => {
        $("key-problem").textContent = say("keyBad");
        $("key-problem").hidden = false;
      },
    );
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog[open]")) return;
    event.preventDefault();
    $("text").focus();
  });
  addEventListener("popstate", arriveAt);
  keyboard();
  listenTheme();
}

// -- beginning ------------------------------------------------------------------------------------------------------

async function open(name) {
  const known = page.known.find((each) => each.name === name) ?? page.known[0];
  page.about = await api.describe(known.name);
  $("collection").value = known.name;
}

async function arriveAt() {
  const search = understand(location.search, location.hash);
  rename(search.items);
  try {
    if (search.collection !== page.about?.name || !page.about) await open(search.collection);
    page.search = { ...search, collection: page.about.name };
    opened(); // not before: what a person does meanwhile comes after the address that the page was opened with
    await run();
  } catch (problem) {
    fail(problem);
  }
}

async function boot() {
  try {
    page.known = await api.collections();
  } catch (problem) {
    return fail(problem);
  }
  $("collection-pick").hidden = page.known.length < 2;
  $("collection").replaceChildren(...page.known.map(({ name }) => make("option", { value: name }, name)));
  arrive(location.search + location.hash || "./", location.search.includes("q="));
  await arriveAt();
}

$("options").open = innerWidth > 860; // on a phone the results come first
fill();
$("language").value = currentLanguage();
drawTheme();
listenAll();
boot();
