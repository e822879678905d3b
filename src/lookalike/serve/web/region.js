// The part of the query's picture that counts: drawn with the pointer, a finger, or the keyboard.

import { make } from "./dom.js";
import { say } from "./words.js";

const LEAST = 0.04; // of a side; a smaller box is a click that slipped
const STEP = 0.02;

/**
 * A picture on which a box can be drawn.
 * @param {HTMLImageElement} image
 * @param {number[]|null} box shares of the sides
 * @param {(box: number[]|null) => void} search called with the box that a person has drawn
 */
export function region(image, box, search) {
  const frame = make("div", { className: "box" });
  const held = make("div", { className: "held", tabIndex: 0, role: "group", "aria-label": say("boxKeys") }, image, frame);
  let drawn = box;
  let begin = null;
  show();

  function show() {
    frame.hidden = !drawn;
    if (!drawn) return;
    const [x0, y0, x1, y1] = drawn.map((share) => share * 100);
    Object.assign(frame.style, { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
  }

  function place(event) {
    const { left, top, width, height } = held.getBoundingClientRect();
    const share = (value) => Math.min(1, Math.max(0, value));
    return [share((event.clientX - left) / width), share((event.clientY - top) / height)];
  }

  held.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    begin = place(event);
    held.setPointerCapture(event.pointerId);
    event.preventDefault();
    held.focus({ preventScroll: true });
  });
  held.addEventListener("pointermove", (event) => {
    if (!begin) return;
    const [x, y] = place(event);
    drawn = [Math.min(x, begin[0]), Math.min(y, begin[1]), Math.max(x, begin[0]), Math.max(y, begin[1])];
    show();
  });
  held.addEventListener("pointerup", () => {
    if (!begin) return;
    begin = null;
    if (drawn && drawn[2] - drawn[0] >= LEAST && drawn[3] - drawn[1] >= LEAST) search(drawn);
    else {
      drawn = box;
      show();
    }
  });
  held.addEventListener("pointercancel", () => {
    begin = null;
    drawn = box;
    show();
  });
  held.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key in moves) {
      drawn = moved(drawn ?? [0.25, 0.25, 0.75, 0.75], moves[event.key], event.shiftKey);
      show();
    } else if (event.key === "Enter" && drawn) search(drawn);
    else if (event.key === "Escape" && drawn) search(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return held;
}

function moved([x0, y0, x1, y1], [dx, dy], resize) {
  if (resize) return [x0, y0, Math.min(1, Math.max(x0 + LEAST, x1 + dx)), Math.min(1, Math.max(y0 + LEAST, y1 + dy))];
  const right = Math.min(1 - x1, Math.max(-x0, dx));
  const down = Math.min(1 - y1, Math.max(-y0, dy));
  return [x0 + right, y0 + down, x1 + right, y1 + down];
}
