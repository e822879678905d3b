// Light, dark, or as the system has it.

import { $, icon } from "./dom.js";
import { say } from "./words.js";

const CHOICES = { auto: "themeAuto", light: "themeLight", dark: "themeDark" };
const ICONS = { auto: "auto", light: "sun", dark: "moon" };
const system = matchMedia("(prefers-color-scheme: dark)");

const chosen = () => (localStorage.getItem("theme") in CHOICES ? localStorage.getItem("theme") : "auto");

export function drawTheme() {
  const theme = chosen();
  document.documentElement.dataset.theme = theme === "auto" ? (system.matches ? "dark" : "light") : theme;
  $("theme").replaceChildren(icon(ICONS[theme]));
  $("theme").title = say(CHOICES[theme]);
  $("theme").setAttribute("aria-label", say(CHOICES[theme]));
}

export function listenTheme() {
  $("theme").addEventListener("click", () => {
    const names = Object.keys(CHOICES);
    localStorage.setItem("theme", names[(names.indexOf(chosen()) + 1) % names.length]);
    drawTheme();
  });
  system.addEventListener("change", drawTheme);
}
