// Conditions on the metadata: a column, how it compares, and a value. The server says which columns there are.

import { $, make } from "./dom.js";
import { say } from "./words.js";

const NUMBER = [["=", "="], ["!=", "≠"], ["<", "<"], ["<=", "≤"], [">", ">"], [">=", "≥"]];
const words = () => [["=", say("opIs")], ["!=", say("opIsNot")], ["contains", say("opHas")]];

let rows = []; // with those that have no value yet
const complete = () => rows.filter(({ value }) => value !== "");

/**
 * @param {{name: string, type: string, values?: string[]}[]} columns
 * @param {{column: string, op: string, value: string}[]} where
 * @param {(where: object[]) => void} changed called with the complete conditions
 */
export function drawFilters(columns, where, changed) {
  $("filters").hidden = !columns.length;
  if (JSON.stringify(complete()) !== JSON.stringify(where)) rows = where.map((each) => ({ ...each }));
  let told = JSON.stringify(complete());
  const tell = () => {
    if (JSON.stringify(complete()) === told) return;
    told = JSON.stringify(complete());
    changed(complete());
  };
  const draw = () => $("conditions").replaceChildren(...rows.map((row, place) => condition(columns, row, tell, () => {
    rows.splice(place, 1);
    draw();
    tell();
  })));
  $("add-condition").onclick = () => {
    rows.push({ column: columns[0].name, op: "=", value: "" });
    draw();
    $("conditions").lastElementChild.querySelector("select").focus();
  };
  draw();
}

function condition(columns, row, tell, remove) {
  const made = make("div", { className: "condition" });
  const redraw = () => made.replaceChildren(...parts());
  function parts() {
    const column = columns.find(({ name }) => name === row.column) ?? columns[0];
    const ops = column.type === "number" ? NUMBER : words();
    if (!ops.some(([op]) => op === row.op)) row.op = "=";
    const name = pick("column", say("anyColumn"), columns.map((each) => [each.name, each.name]), row.column, (value) => {
      Object.assign(row, { column: value, value: "" });
      redraw();
      tell();
    });
    const op = pick("op", row.column, ops, row.op, (value) => {
      row.op = value;
      tell();
    });
    const drop = make("button", { type: "button", className: "icon", "aria-label": say("removeFilter"), title: say("removeFilter"), onclick: remove }, "×");
    return [name, op, valueOf(column), drop];
  }
  function valueOf(column) {
    const known = column.values ?? [];
    if (column.type !== "number" && row.op !== "contains" && known.length && known.length <= 50) {
      const choices = [["", "…"], ...known.map((value) => [String(value), String(value)])];
      if (row.value && !known.map(String).includes(row.value)) choices.push([row.value, row.value]);
      return pick("value", say("value"), choices, row.value, (value) => {
        row.value = value;
        tell();
      });
    }
    return make("input", { className: "value", type: "text", inputMode: column.type === "number" ? "decimal" : "text", value: row.value, placeholder: say("value"), "aria-label": say("value"), onchange: (event) => {
      row.value = event.target.value.trim();
      tell();
    } });
  }
  redraw();
  return made;
}

function pick(className, label, choices, chosen, changed) {
  const made = make("select", { className, "aria-label": label, onchange: () => changed(made.value) });
  for (const [value, text] of choices) made.append(make("option", { value, selected: value === chosen }, text));
  return made;
}
