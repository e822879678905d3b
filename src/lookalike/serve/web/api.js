// The page's only way to the server: /v1, as OpenAPI describes it at /openapi.json.

const BASE = new URL("v1/", document.baseURI);

/** What went wrong, in the server's own words where it has some. */
export class Problem extends Error {
  constructor(status, code, message, hint = "", retryAfter = 0) {
    super(message);
    Object.assign(this, { status, code, hint, retryAfter });
  }
}

/** Give the server a key; it answers with a cookie that this page cannot read, and that its pictures send along too. */
export async function useKey(key) {
  await ask("session", { body: { key } });
}

async function ask(path, { body, signal } = {}) {
  const headers = {};
  let send;
  if (body instanceof FormData) send = body;
  else if (body) {
    headers["Content-Type"] = "application/json";
    send = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), { method: send ? "POST" : "GET", headers, body: send, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "offline", "");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const said = await answer.json().catch(() => ({}));
  const { code = "", message = answer.statusText, hint = "" } = said.error ?? {};
  throw new Problem(answer.status, code, message, hint, Number(answer.headers.get("Retry-After")) || 0);
}

const named = (collection) => `collections/${encodeURIComponent(collection)}`;
const inPath = (id) => id.split("/").map(encodeURIComponent).join("/");

export async function collections() {
  return (await ask("collections")).collections;
}

export async function describe(collection) {
  return ask(named(collection));
}

export async function samples(collection, count) {
  return (await ask(`${named(collection)}/samples?k=${count}`)).records;
}

/** What is asked, and with `pictures` (the files of its items of kind `image`, in their order) a form around it. */
function body(search, pictures, more) {
  let place = 0;
  const items = search.items.map(({ kind, value, weight, box }) => ({
    ...(kind === "image" ? { kind: "upload", value: `picture${place++}` } : { kind, value }),
    weight,
    ...(box && { box }),
  }));
  const said = { query: { items }, ...more };
  if (!pictures.length) return said;
  const form = new FormData();
  form.append("request", JSON.stringify(said));
  pictures.forEach((file, at) => form.append(`picture${at}`, file, file.name || "picture.jpg"));
  return form;
}

/** @param {import("./state.js").Search} search */
export async function find(search, pictures, { k, cursor = null, signal }) {
  const more = {
    k,
    not_same: search.notSame,
    ...(search.group && { group_by: search.group }),
    ...(search.where.length && { where: search.where }),
    ...(cursor && { cursor }),
  };
  return ask(`${named(search.collection)}/search`, { body: body(search, pictures, more), signal });
}

/** Which cells of a hit's picture made its score: rows of numbers, the higher the more. */
export async function explain(search, pictures, id) {
  return ask(`${named(search.collection)}/explain`, { body: body(search, pictures, { id }) });
}

export async function record(collection, id) {
  return ask(`${named(collection)}/records/${inPath(id)}`);
}

export async function feedback(said) {
  return ask("feedback", { body: said });
}
