// Making elements. Text goes in as text, never as HTML: ids and metadata come from other people's files.

export const $ = (id) => document.getElementById(id);

/** An element with properties, listeners (`onclick`), attributes (`aria-…`, `data-…`) and children. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("aria-") || name.startsWith("data-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const ICONS = {
  up: "M7 11v9H4v-9zM7 11l4-8c1.6 0 2.4 1 2.2 2.6L12.6 9H19c1.3 0 2.2 1.2 1.9 2.4l-1.7 7c-.2 1-1 1.6-2 1.6H7",
  down: "M17 13V4h3v9zM17 13l-4 8c-1.6 0-2.4-1-2.2-2.6l.6-3.4H5c-1.3 0-2.2-1.2-1.9-2.4l1.7-7c.2-1 1-1.6 2-1.6H17",
  add: "M12 5v14M5 12h14",
  why: "M9.2 9a2.8 2.8 0 1 1 4.2 2.4c-.9.5-1.4 1.1-1.4 2.1v.5M12 17.6v.1",
  out: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  sun: "M12 7a5 5 0 1 0 0 10a5 5 0 0 0 0-10M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
