// The pictures that a person brings, and those that the server shows.

import { Problem, record } from "./api.js";
import { make } from "./dom.js";
import { say } from "./words.js";

const SMALL = 256; // pixels of the longer side of the copy that an address holds: about 10 KB
const QUALITY = 0.8;

/** Files in full, by the name of their item. An address alone brings back the small copy only. */
const files = new Map();
let count = 0;

/** Take a file in. @returns {Promise<{value: string, small: string}>} what an item of kind `image` holds of it */
export async function take(file) {
  const bitmap = await readable(file);
  const value = String(++count);
  files.set(value, bitmap.file);
  return { value, small: bitmap.small };
}

async function readable(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    return { file, small: await shrink(bitmap) };
  } catch {
    throw new Problem(415, "not_picture", say("notPicture", { name: file.name || say("picture") }));
  }
}

async function shrink(bitmap) {
  const scale = Math.min(1, SMALL / Math.max(bitmap.width, bitmap.height));
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(bitmap.width * scale)),
    height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "#fff"; // as the server composites transparent pixels
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", QUALITY).split(",")[1];
}

/** The file that an item stands for: in full where this page took it in, else its small copy. */
function fileOf(item) {
  if (files.has(item.value)) return files.get(item.value);
  const bytes = Uint8Array.from(atob(item.small), (letter) => letter.charCodeAt(0));
  return new File([bytes], "picture.jpg", { type: "image/jpeg" });
}

export function filesOf(search) {
  return search.items.filter(({ kind }) => kind === "image").map(fileOf);
}

export function smallAddress(item) {
  return `data:image/jpeg;base64,${item.small}`;
}

/** Items of an address name pictures by place; give them names of their own, which no taken file has. */
export function rename(items) {
  for (const item of items) if (item.kind === "image") item.value = String(++count);
}

/** Where the pictures of records are, by collection and id: of every hit that was seen, and of those asked for. */
const links = new Map();
const named = (collection, id) => `${collection}/${id}`;

export function remember(collection, records) {
  for (const each of records) links.set(named(collection, each.id), Promise.resolve(each));
}

function found(collection, id) {
  const name = named(collection, id);
  if (!links.has(name)) links.set(name, record(collection, id));
  return links.get(name);
}

/** The address of a thumbnail; `link` is as the server gives it. */
export function sized(link, side) {
  const address = new URL(link, document.baseURI);
  address.searchParams.set("side", side);
  return address.href;
}

/** An <img> of an address of the server, loaded when it comes near the window. */
export function shown(address, alt, properties = {}) {
  const image = make("img", { alt, decoding: "async", loading: "lazy", draggable: false, ...properties });
  image.addEventListener("load", () => image.classList.add("here"));
  image.addEventListener("error", () => image.classList.add("lost"));
  if (address) image.src = address;
  return image;
}

/** An <img> of a record, whose address is asked for where it is not known yet. */
export function pictureOfRecord(collection, id, side, alt = "") {
  const image = shown("", alt);
  found(collection, id).then(
    ({ thumbnail }) => (image.src = sized(thumbnail, side)),
    () => image.dispatchEvent(new Event("error")),
  );
  return image;
}
