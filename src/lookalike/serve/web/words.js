// What the page says, in the person's language. A test asks that every language has every word.

import en from "./words/en.js";
import ru from "./words/ru.js";
import zh from "./words/zh.js";

const LANGUAGES = { en, ru, zh };
let language = chosen();

function chosen() {
  const wanted = [localStorage.getItem("language"), ...navigator.languages.map((name) => name.slice(0, 2))];
  return wanted.find((name) => name in LANGUAGES) ?? "en";
}

export function currentLanguage() {
  return language;
}

export function setLanguage(name) {
  language = name;
  localStorage.setItem("language", name);
  fill();
}

/** A sentence by its key; `{name}` in it is replaced. A number `n` picks among the forms of the language. */
export function say(key, values = {}) {
  let text = LANGUAGES[language][key] ?? en[key] ?? key;
  if (typeof text === "object") text = text[new Intl.PluralRules(language).select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

function shown(value) {
  return typeof value === "number" ? value.toLocaleString(language) : String(value ?? "");
}

export function percent(share) {
  return share.toLocaleString(language, { style: "percent", maximumFractionDigits: 0 });
}

/** Put the words of the page's own elements in place. */
export function fill(root = document) {
  document.documentElement.lang = language;
  for (const each of root.querySelectorAll("[data-words]")) each.textContent = say(each.dataset.words);
  for (const each of root.querySelectorAll("[data-words-label]")) {
    each.setAttribute("aria-label", say(each.dataset.wordsLabel));
    if (each.matches("button, a")) each.title = say(each.dataset.wordsLabel);
  }
  for (const each of root.querySelectorAll("[data-words-hint]")) each.placeholder = say(each.dataset.wordsHint);
}
