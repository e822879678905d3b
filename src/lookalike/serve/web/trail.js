// The searches that led here. Each step is an address, so a trail outlives a reload; the browser's own history goes along.

import { $, make } from "./dom.js";
import { nameOf, pictureOf } from "./query.js";
import { understand } from "./state.js";

const KEPT = 30;

const read = () => JSON.parse(sessionStorage.getItem("trail") ?? "[]");

function write(steps) {
  for (let kept = steps; ; kept = kept.slice(1)) {
    try {
      sessionStorage.setItem("trail", JSON.stringify(kept));
      return;
    } catch {
      if (!kept.length) return; // no storage at all: the browser's own history still leads back
    }
  }
}

const current = () => history.state?.step ?? -1;

/** Go to an address as the next step; what stood after the present one is forgotten. */
export function stepTo(address) {
  const steps = read().slice(0, current() + 1);
  steps.push(address);
  const kept = steps.slice(-KEPT);
  write(kept);
  history.pushState({ step: kept.length - 1 }, "", address);
}

/** Change the address of the present step: another threshold is no search of its own. */
export function amend(address) {
  const steps = read();
  if (current() >= 0) steps[current()] = address;
  write(steps);
  history.replaceState(history.state, "", address);
}

/** Take in the address that the page was opened with. */
export function arrive(address, searched) {
  const steps = read();
  if (history.state?.step !== undefined && steps[history.state.step] === address) return;
  write(searched ? [address] : []);
  history.replaceState(searched ? { step: 0 } : null, "");
}

export function drawTrail() {
  const steps = read();
  $("trail").hidden = steps.length < 2;
  if ($("trail").hidden) return;
  $("steps").replaceChildren(...steps.map(step));
  $("steps").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function step(address, place) {
  const split = address.indexOf("#");
  const search = understand(split < 0 ? address : address.slice(0, split), split < 0 ? "" : address.slice(split));
  const first = search.items.find((each) => each.weight > 0) ?? search.items[0];
  if (!first) return make("li");
  const more = search.items.length > 1 ? ` +${search.items.length - 1}` : "";
  const button = make(
    "button",
    { type: "button", className: "step", title: first.kind === "image" ? "" : first.value, "aria-current": place === current() ? "step" : null, onclick: () => history.go(place - current()) },
    pictureOf(first, search.collection, 96) ?? "",
    make("span", {}, nameOf(first) + more),
  );
  return make("li", {}, button);
}
