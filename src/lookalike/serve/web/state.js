// What is searched for, and the address that says it. An address reproduces its search: a picture that a person brought
// travels in it as a small copy, behind the '#', which browsers do not send to the server.

export const PAGE = 20;
const KINDS = ["id", "text", "url", "image"];
const OPS = ["=", "!=", "<=", ">=", "<", ">", "contains"];

/**
 * A part of a query. `box` is [x0, y0, x1, y1] as shares of the picture's sides, 0 to 1.
 * @typedef {{kind: string, value: string, weight: number, box: number[]|null, small: string|null}} Item
 * `small` is the small copy of a picture that was brought: the base64 of a JPEG.
 * @typedef {{collection: string, items: Item[], least: number, notSame: boolean, group: string,
 *   where: {column: string, op: string, value: string}[], k: number}} Search
 */

/** @returns {Search} */
export function nothing(collection = "") {
  return { collection, items: [], least: 0, notSame: false, group: "", where: [], k: PAGE };
}

export function item(kind, value, more = {}) {
  return { kind, value, weight: 1, box: null, small: null, ...more };
}

/** The address of a search, from the `?` on. @param {Search} search */
export function address(search) {
  const said = new URLSearchParams();
  const pictures = [];
  if (search.collection) said.append("c", search.collection);
  for (const each of search.items) {
    let value = each.value;
    if (each.kind === "image") value = String(pictures.push(each.small ?? "") - 1);
    said.append("q", `${each.kind}:${value}`);
  }
  if (search.items.some((each) => each.weight !== 1)) said.append("w", search.items.map((each) => each.weight).join(","));
  if (search.items.some((each) => each.box)) {
    said.append("box", search.items.map((each) => (each.box ?? []).map((share) => +share.toFixed(4)).join(",")).join(";"));
  }
  if (search.least) said.append("least", String(search.least));
  if (search.notSame) said.append("not_same", "1");
  if (search.group) said.append("group_by", search.group);
  for (const { column, op, value } of search.where) said.append("where", column + op + value);
  if (search.k !== PAGE) said.append("k", String(search.k));
  const query = said.toString();
  return (query ? `?${query}` : "./") + (pictures.length ? `#${pictures.map(forAddress).join(";")}` : "");
}

/** The search that an address means; what cannot be understood in it is left out. @returns {Search} */
export function understand(query, hash = "") {
  const said = new URLSearchParams(query);
  const search = nothing(said.get("c") ?? "");
  const pictures = hash.replace(/^#/, "").split(";").map(fromAddress);
  const weights = (said.get("w") ?? "").split(",").map(Number);
  const boxes = (said.get("box") ?? "").split(";").map((text) => text.split(",").map(Number));
  said.getAll("q").forEach((text, place) => {
    const colon = text.indexOf(":");
    const kind = text.slice(0, colon);
    const value = text.slice(colon + 1);
    if (!KINDS.includes(kind) || !value) return;
    const small = kind === "image" ? pictures[Number(value)] : null;
    if (kind === "image" && !small) return;
    const weight = Number.isFinite(weights[place]) && weights[place] ? weights[place] : 1;
    search.items.push(item(kind, value, { weight, box: whole(boxes[place]), small }));
  });
  search.least = Math.min(1, Math.max(0, Number(said.get("least")) || 0));
  search.notSame = said.get("not_same") === "1";
  search.group = said.get("group_by") ?? "";
  search.where = said.getAll("where").map(condition).filter(Boolean);
  search.k = Math.min(1000, Math.max(1, Math.round(Number(said.get("k"))) || PAGE));
  return search;
}

function whole(box) {
  const good = box?.length === 4 && box.every((share) => share >= 0 && share <= 1) && box[0] < box[2] && box[1] < box[3];
  return good ? box : null;
}

function condition(text) {
  const found = /^(.+?)(!=|<=|>=|=|<|>|contains)(.*)$/s.exec(text);
  return found && OPS.includes(found[2]) ? { column: found[1], op: found[2], value: found[3] } : null;
}

const forAddress = (base64) => base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const fromAddress = (text) => text.replaceAll("-", "+").replaceAll("_", "/");
