// The bar in which a search is put together: words, addresses, files, the clipboard, the camera.

import { $, make } from "./dom.js";
import { pictureOfRecord, smallAddress, take } from "./pictures.js";
import { item } from "./state.js";
import { say } from "./words.js";

/** A short name of an item, for people. */
export function nameOf({ kind, value }) {
  if (kind === "image") return say("picture");
  if (kind === "id") return value.split("/").pop();
  return value;
}

/** A small picture of an item, or null for words. */
export function pictureOf(each, collection, size = 96) {
  if (each.kind === "image") return make("img", { src: smallAddress(each), alt: "", draggable: false, className: "here" });
  if (each.kind === "id") return pictureOfRecord(collection, each.value, size);
  return null;
}

export function understandWords(text) {
  const said = text.trim();
  if (!said) return null;
  return item(/^https?:\/\//i.test(said) ? "url" : "text", said);
}

/**
 * @param {(items: import("./state.js").Item[], how: {add: boolean}) => void} search called when a person asks
 * @param {(problem: Error) => void} fail
 */
export function listen(search, fail, current) {
  async function bring(list, add) {
    const pictures = [...list].filter((file) => file.type.startsWith("image/") || /\.(heic|heif|avif)$/i.test(file.name));
    if (!pictures.length) {
      if (list.length) fail(new Error(say("notPicture", { name: list[0].name })));
      return;
    }
    try {
      const taken = [];
      for (const file of pictures) taken.push(item("image", "", await take(file)));
      search(taken, { add });
    } catch (problem) {
      fail(problem);
    }
  }

  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = understandWords($("text").value);
    $("text").value = "";
    if (words) search([words], { add: current().length > 0 });
    else if (current().length) search([], { add: true });
    else $("text").focus();
  });
  $("file-button").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    bring($("file").files, false);
    $("file").value = "";
  });

  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) {
      event.preventDefault();
      bring(event.clipboardData.files, false);
    } else if (document.activeElement === document.body) {
      const words = understandWords(event.clipboardData.getData("text"));
      if (words) search([words], { add: false });
    }
  });

  let over = 0; // dragenter and dragleave come for every element that the pointer crosses
  const veil = (visible) => ($("drop").hidden = !visible);
  document.addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.some((type) => type === "Files" || type === "text/uri-list")) veil(++over > 0);
  });
  document.addEventListener("dragleave", () => veil((over = Math.max(0, over - 1)) > 0));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    veil((over = 0) > 0);
    const address = event.dataTransfer.getData("text/uri-list");
    if (event.dataTransfer.files.length) bring(event.dataTransfer.files, event.shiftKey);
    else if (/^https?:/i.test(address)) search([item("url", address.split("\n")[0])], { add: false });
  });

  camera((file) => bring([file], false));
}

function camera(done) {
  const view = $("camera-view");
  const dialog = $("camera");
  let stream = null;

  $("camera-button").addEventListener("click", async () => {
    $("camera-problem").hidden = true;
    $("shoot").disabled = true;
    dialog.showModal();
    try {
      if (!navigator.mediaDevices) throw new Error("https");
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (!dialog.open) return stop();
      view.srcObject = stream;
      await view.play();
      $("shoot").disabled = false;
      $("shoot").focus();
    } catch (error) {
      $("camera-problem").textContent = say("cameraNone", { why: error.message || error.name });
      $("camera-problem").hidden = false;
    }
  });
  $("shoot").addEventListener("click", () => {
    const canvas = make("canvas", { width: view.videoWidth, height: view.videoHeight });
    canvas.getContext("2d").drawImage(view, 0, 0);
    canvas.toBlob((blob) => done(new File([blob], "photo.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
    dialog.close();
  });
  $("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);

  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    view.srcObject = null;
  }
}

/** Draw the items of a search in the bar. */
export function drawItems(search, { remove, turn }) {
  $("items").replaceChildren(
    ...search.items.map((each, place) => {
      const name = nameOf(each);
      return make(
        "li",
        { className: each.weight < 0 ? "item less" : "item", title: each.value },
        pictureOf(each, search.collection) ?? "",
        make("span", { className: "name" }, each.weight === 1 || each.weight === -1 ? name : `${Math.abs(each.weight)} × ${name}`),
        search.items.length > 1
          ? make("button", { type: "button", className: "turn", "aria-label": say("turn", { name }), title: say("turn", { name }), onclick: () => turn(place) }, "±")
          : null,
        make("button", { type: "button", className: "drop-item", "aria-label": say("remove", { name }), title: say("remove", { name }), onclick: () => remove(place) }, "×"),
      );
    }),
  );
}
