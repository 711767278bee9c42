// The page: signing in, writing, opening and closing the panels, and showing what the chat says
// has changed. The state is in chat.js, the messages are shown by log.js, the rest by lists.js.

import { Chat } from "./chat.js";
import { avatar, byId } from "./dom.js";
import { Log } from "./log.js";
import { showMembers, showRoom, showRooms, showStatus, showTyping } from "./lists.js";

const ADJECTIVES = ["Quiet", "Brave", "Sunny", "Clever", "Merry", "Swift", "Gentle", "Lucky"];
const ANIMALS = ["Otter", "Heron", "Fox", "Badger", "Lynx", "Robin", "Panda", "Marten"];

// The same widths as in style.css.
const NARROW = matchMedia("(max-width: 760px)");
const MEDIUM = matchMedia("(max-width: 1080px)");

const chat = new Chat();
const log = new Log(chat);
const text = byId("text");
const dirty = new Set();

chat.addEventListener("change", ({ detail: parts }) => {
  // Many changes of one moment are shown once.
  if (dirty.size === 0) {
    queueMicrotask(show);
  }
  parts.forEach((part) => dirty.add(part));
});

chat.addEventListener("refused", ({ detail: reason }) => {
  sessionStorage.removeItem("name");
  byId("welcome").classList.remove("automatic");
  byId("sign-in-error").textContent = reason;
  byId("name").select();
});

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("name").value.trim();
  if (name === "") {
    byId("sign-in-error").textContent = "Please choose a nickname first";
    byId("name").focus();
    return;
  }
  byId("sign-in-error").textContent = "";
  signIn(name);
});

byId("surprise").addEventListener("click", () => {
  byId("name").value = `${pick(ADJECTIVES)} ${pick(ANIMALS)}`;
});

byId("sign-out").addEventListener("click", () => {
  sessionStorage.clear();
  chat.signOut();
});

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value.trim() !== "") {
    chat.send(text.value.trim());
    write("");
  }
  text.focus();
});

text.addEventListener("keydown", (event) => {
  // isComposing: Enter chooses a word in many input methods.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("composer").requestSubmit();
  }
});

text.addEventListener("input", () => {
  chat.current.draft = text.value;
  chat.typing(text.value.trim() !== "");
  fitText();
});

byId("sidebar").addEventListener("click", (event) => {
  const name = event.target.closest("[data-room]")?.dataset.room;
  if (name) {
    openRoom(name);
  }
});

byId("new-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("new-room-name");
  input.setCustomValidity("");
  if (input.value.trim() !== "") {
    openRoom(input.value);
  }
});
byId("new-room-name").addEventListener("input", ({ target }) => target.setCustomValidity(""));

byId("leave-room").addEventListener("click", () => chat.leave());
byId("theme").addEventListener("click", () => window.switchTheme());
byId("open-sidebar").addEventListener("click", () => openPanel("sidebar"));
byId("open-people").addEventListener("click", () => {
  openPanel(isOpen("people") ? undefined : "people");
});
byId("scrim").addEventListener("click", () => openPanel(undefined));
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => openPanel(undefined));
}

document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") {
    openPanel(undefined);
  }
});
document.addEventListener("visibilitychange", () => {
  chat.seen();
});
window.addEventListener("hashchange", () => {
  if (chat.status !== "offline" && roomInAddress() && roomInAddress() !== chat.current.name) {
    openRoom(roomInAddress());
  }
});
NARROW.addEventListener("change", () => openPanel(undefined));
MEDIUM.addEventListener("change", () => openPanel(undefined));

openPanel(undefined);
const remembered = sessionStorage.getItem("name");
if (remembered) {
  byId("name").value = remembered;
  byId("welcome").classList.add("automatic");
  signIn(remembered);
}
chat.dispatchEvent(new CustomEvent("change", { detail: ["status"] }));

function signIn(name) {
  sessionStorage.setItem("name", name);
  if (!sessionStorage.getItem("session")) {
    sessionStorage.setItem("session", newSession());
  }
  const rooms = ["lobby", ...rememberedRooms()];
  chat.signIn(name, sessionStorage.getItem("session"), rooms, roomInAddress() ?? "lobby");
}

/** Shows what has changed since the last time. */
function show() {
  const parts = new Set(dirty);
  dirty.clear();
  const signedIn = chat.me !== undefined && chat.current !== undefined;
  const turned = byId("app").hidden === signedIn || byId("welcome").hidden !== signedIn;
  byId("app").hidden = !signedIn;
  byId("welcome").hidden = signedIn;
  if (turned && !NARROW.matches) {
    (signedIn ? text : byId("name")).focus();
  }
  if (!signedIn) {
    const waiting = chat.status === "connecting";
    byId("sign-in-button").disabled = waiting;
    byId("sign-in-button").textContent = waiting ? "Connecting…" : "Start chatting";
    document.title = "Chat";
    return;
  }
  if (parts.has("status")) {
    showStatus(chat);
    byId("own-name").textContent = chat.me.name;
    byId("own-avatar").replaceChildren(avatar(chat.me));
  }
  if (parts.has("rooms")) {
    showRooms(chat);
    rememberRooms();
  }
  if (parts.has("room")) {
    showRoom(chat);
    write(chat.current.draft);
    history.replaceState(null, "", `#${chat.current.name}`);
  }
  if (parts.has("members") || parts.has("typing")) {
    showMembers(chat);
    showTyping(chat);
  }
  if (parts.has("entries") || parts.has("room")) {
    log.show(chat.current);
  }
}

async function openRoom(name) {
  try {
    await chat.open(name);
    byId("new-room-name").value = "";
    openPanel(undefined);
    if (!NARROW.matches) {
      text.focus(); // on a phone this would open the keyboard
    }
  } catch (error) {
    byId("new-room-name").setCustomValidity(error.message);
    byId("new-room-name").reportValidity();
  }
}

function write(value) {
  text.value = value;
  chat.current.draft = value;
  fitText();
}

/** Grows with what is written; the style sheet says how far. */
function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  byId("send").disabled = text.value.trim() === "";
}

/** Opens one of the side panels where they cover the conversation, or closes both. */
function openPanel(name) {
  for (const [panel, opener, covers] of [
    ["sidebar", "open-sidebar", NARROW.matches],
    ["people", "open-people", MEDIUM.matches],
  ]) {
    const open = covers && panel === name;
    const wasOpen = isOpen(panel);
    byId(panel).classList.toggle("open", open);
    // What cannot be seen must not be reached with the keyboard either.
    byId(panel).inert = covers && !open;
    byId(opener).ariaExpanded = String(open);
    if (open) {
      byId(panel).querySelector("[data-close]").focus();
    } else if (wasOpen && covers) {
      byId(opener).focus();
    }
  }
  byId("scrim").hidden = !isOpen("sidebar") && !isOpen("people");
}

function isOpen(panel) {
  return byId(panel).classList.contains("open");
}

function rememberedRooms() {
  return JSON.parse(sessionStorage.getItem("rooms") ?? "[]");
}

function rememberRooms() {
  sessionStorage.setItem("rooms", JSON.stringify([...chat.rooms.keys()]));
}

/** The room that the page's address names, so that a link can lead into a room. */
function roomInAddress() {
  try {
    const name = decodeURIComponent(location.hash.slice(1));
    return (
      name
        .trim()
        .toLowerCase()
        .replace(/[\s_]+/g, "-") || undefined
    );
  } catch {
    return undefined; // not something that we wrote
  }
}

/** A secret that lets this window, and only it, come back as the same person. */
function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pick(words) {
  return words[Math.floor(Math.random() * words.length)];
}
