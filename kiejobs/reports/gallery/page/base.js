// Elements, words and numbers. Text from the data becomes text nodes and attribute values, never markup.

const $ = (id) => document.getElementById(id);

/** An element; `props` are attributes, `class`, properties that are no strings, and `on...` listeners. */
function h(name, props = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : SPOKEN.has(key) ? named(value) : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).flatMap(pieces));
  return made;
}

// --- characters that can't be seen, or that turn text around: they are named, wherever text is shown ---

const SPOKEN = new Set(["title", "alt", "aria-label"]);
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const codeOf = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
const named = (text) => String(text).replace(HIDDEN, codeOf);

/** A text in pieces: what can be seen as it is, and a chip for each character that can't. */
function pieces(child) {
  if (typeof child !== "string" || child.search(HIDDEN) < 0) return [child];
  const found = [];
  let at = 0;
  for (const match of child.matchAll(HIDDEN)) {
    const chip = document.createElement("span");
    chip.className = "hidden-char";
    chip.title = "A character that is not visible";
    chip.textContent = codeOf(match[0]);
    found.push(child.slice(at, match.index), chip);
    at = match.index + match[0].length;
  }
  return [...found, child.slice(at)].filter((piece) => piece !== "");
}

/** A button that says what it does, and which key does the same. */
function button(text, key, act, more = {}) {
  const title = key ? `${more.title ?? text} (${key})` : more.title;
  return h("button", { type: "button", ...more, title, onclick: act }, text, key && h("kbd", { "aria-hidden": "true" }, key));
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

const round = (number) => Math.round(number * 100) / 100;
const plain = (number) => round(Number(number)).toLocaleString("en", { maximumFractionDigits: 2 });
const credits = (number) => (number === null ? "no price" : `${plain(number)} cr`);

/** `68 cr ($0.34)`. */
function money(number, perCredit) {
  const dollars = perCredit && number !== null ? ` ($${(Number(number) * Number(perCredit)).toFixed(2)})` : "";
  return credits(number) + dollars;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  for (; count >= 1000 && at < units.length - 1; at++) count /= 1000;
  return `${at ? count.toFixed(1) : count} ${units[at]}`;
}

const moment = (text) => text.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC");

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("on"), 3500);
}

/** What a web address is, if a value is one: only these become links. */
const webAddress = (value) => (typeof value === "string" && /^https?:\/\//i.test(value) ? value : null);
