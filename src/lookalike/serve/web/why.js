// 'Why was this found?': the parts of the picture that made the score, and the numbers.

import { explain } from "./api.js";
import { $, make } from "./dom.js";
import { plain, scoreWords } from "./grid.js";
import { filesOf, pictureOfRecord } from "./pictures.js";
import { pictureOf } from "./query.js";
import { percent, say } from "./words.js";

export async function showWhy(search, hit) {
  const asked = search.items.find((each) => each.weight > 0 && each.kind !== "text");
  $("why-query").replaceChildren(asked ? pictureOf(asked, search.collection, 480) ?? asked.value : search.items[0]?.value ?? "");
  $("why-hit").replaceChildren(make("span", { className: "waiting" }, say("whyWaiting")));
  $("why-text").textContent = say("whyText");
  $("why-numbers").replaceChildren(...numbers(hit));
  $("why").showModal();
  $("why").dataset.id = hit.id;
  if (hit.found_by === "text") return without(search, hit, say("whyWords"));
  try {
    const { grid } = await explain(search, filesOf(search), hit.id);
    if ($("why").dataset.id === hit.id) drawHeat(pictureOfRecord(search.collection, hit.id, 480), grid);
  } catch (problem) {
    without(search, hit, problem.message || say("whyNone"));
  }
}

/** The picture, dark but for the cells that made the score. */
function drawHeat(image, grid) {
  const most = Math.max(...grid.flat(), 1e-6);
  const canvas = make("canvas", { width: grid[0].length, height: grid.length, className: "heat" });
  const drawing = canvas.getContext("2d");
  grid.forEach((row, y) => row.forEach((value, x) => {
    drawing.fillStyle = `rgb(8 10 9 / ${0.78 * (1 - Math.max(0, value) / most)})`;
    drawing.fillRect(x, y, 1, 1);
  }));
  image.loading = "eager";
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    const [w, h] = width >= height ? [1, height / width] : [width / height, 1];
    Object.assign(canvas.style, { width: `${w * 100}%`, height: `${h * 100}%` });
  });
  $("why-hit").replaceChildren(image, canvas);
}

function without(search, hit, text) {
  if ($("why").dataset.id !== hit.id) return;
  $("why-hit").replaceChildren(pictureOfRecord(search.collection, hit.id, 480));
  $("why-text").textContent = text;
}

function numbers(hit) {
  const found = { vector: "foundByVector", text: "foundByText", both: "foundByBoth" }[hit.found_by];
  const rows = [[say("rank"), hit.rank], [say("score"), hit.score.toFixed(4)]];
  if (typeof hit.relevance === "number") rows.push([say("relevanceName"), percent(hit.relevance)]);
  if (found) rows.push([say("foundBy"), say(found)]);
  const stages = Object.entries(hit.scores ?? {});
  for (const [stage, score] of stages.length > 1 ? stages : []) rows.push([stage, typeof score === "number" ? score.toFixed(4) : plain(score)]);
  for (const [column, value] of Object.entries(hit.metadata ?? {})) rows.push([column, plain(value)]);
  return rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value))));
}
