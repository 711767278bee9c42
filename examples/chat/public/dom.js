// Small things that every part of the page needs: elements, avatars, times, links.

const HUES = [
  ...["indigo", "teal", "rose", "amber", "sky", "violet"],
  ...["green", "orange", "pink", "cyan", "lime", "red"],
];
const LINK = /\bhttps?:\/\/[^\s<>"]*[^\s<>"'.,:;!?)\]}]/g;

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Makes an element: `make("p", { className: "x", textContent: "y" }, child, ...)`. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A round picture of a person: the initials on a colour that is always the same for them. */
export function avatar(user) {
  const element = make("span", { className: "avatar", textContent: initials(user.name) });
  element.dataset.hue = hueOf(user);
  element.ariaHidden = "true";
  return element;
}

/** The name of a person's colour. */
export function hueOf({ id }) {
  let sum = 0;
  for (const character of id) {
    sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  }
  return HUES[sum % HUES.length];
}

/** The time of day, with its exact moment as a tooltip. */
export function timeOf(time) {
  const date = new Date(time);
  return make("time", {
    dateTime: date.toISOString(),
    title: date.toLocaleString(),
    textContent: date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  });
}

/** "Today", "Yesterday" or the date. */
export function dayOf(time) {
  const date = new Date(time);
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (date.toDateString() === new Date().toDateString()) {
    return "Today";
  }
  if (date.toDateString() === yesterday.toDateString()) {
    return "Yesterday";
  }
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

/** The text with its web addresses as links; everything else stays text. */
export function linkify(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const [url] = match;
    parts.push(text.slice(end, match.index));
    parts.push(make("a", { href: url, textContent: url, target: "_blank", rel: "noopener" }));
    end = match.index + url.length;
  }
  parts.push(text.slice(end));
  return parts;
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0] ?? "?"];
  return letters.map((word) => [...word][0].toUpperCase()).join("");
}
