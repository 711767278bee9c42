// The messages of the room that is shown: adds and updates only what changed, so that a reader's
// place, selection and screen reader are left alone.

import { avatar, byId, dayOf, hueOf, linkify, make, timeOf } from "./dom.js";

const GROUP_WITHIN = 5 * 60_000;
const NEAR_THE_END = 120;
const NOTICES = { entered: ["joined"], left: ["left"], back: ["is back", "are back"] };
const STATES = { sending: "Sending", waiting: "Waiting for the connection", failed: "Not sent" };

export class Log {
  constructor(chat) {
    this._chat = chat;
    this._room = undefined;
    this._day = undefined; // of the last message shown
    this._elements = new Map(); // entry -> element
    this._log = byId("log");
    this._jump = byId("jump");
    this._log.addEventListener("scroll", () => this._noteScroll(), { passive: true });
    this._jump.addEventListener("click", () => this._toEnd(true));
    this._atEnd = true;
    this._size = "";
    // Whatever makes the log smaller (the keyboard of a phone, a banner) must not hide the end.
    new ResizeObserver(() => this._noteSize()).observe(this._log);
  }

  /** Shows the entries of the room; called again after every change. */
  show(room) {
    if (room !== this._room) {
      this._room = room;
      this._day = undefined;
      this._elements.clear();
      this._log.replaceChildren(beginning(room));
      this._atEnd = true;
    }
    const known = new Set(room.entries);
    for (const [entry, element] of this._elements) {
      if (!known.has(entry)) {
        element.remove();
        this._elements.delete(entry);
      }
    }
    let news;
    room.entries.forEach((entry, index) => {
      if (this._elements.has(entry)) {
        this._update(entry);
      } else {
        this._add(entry, room.entries[index - 1]);
        news = entry;
      }
    });
    if (news) {
      this._follow(news);
    }
  }

  _add(entry, previous) {
    const element = make("div", { className: "entry" });
    if (entry.kind === "message" && dayOf(entry.time) !== this._day) {
      this._day = dayOf(entry.time);
      element.append(make("p", { className: "divider" }, make("span", {}, this._day)));
    }
    if (entry.key !== undefined && entry.key === this._room.firstUnread) {
      this._log.querySelectorAll(".divider.unread").forEach((old) => old.remove());
      const divider = make("p", { className: "divider unread" }, make("span", {}, "New"));
      element.append(divider);
    }
    if (entry.kind === "message") {
      element.append(this._message(entry, continues(entry, previous, element)));
    } else {
      element.append(notice(entry));
    }
    this._elements.set(entry, element);
    this._log.append(element);
    this._update(entry);
  }

  _message(entry, continued) {
    const { user, own, text, time } = entry;
    const message = make("article", { className: "message" });
    message.classList.toggle("own", own);
    message.classList.toggle("continued", continued);
    const name = make("strong", { className: "name", textContent: own ? "You" : user.name });
    name.dataset.hue = hueOf(user);
    const head = make("header", { className: "message-head" }, name, timeOf(time));
    const bubble = make("p", { className: "bubble" }, ...linkify(text));
    const foot = make("p", { className: "message-foot" });
    message.append(avatar(user), make("div", { className: "message-body" }, head, bubble, foot));
    return message;
  }

  /** Shows whether one of our own messages is on its way. */
  _update(entry) {
    const element = this._elements.get(entry);
    const state = entry.state ?? "";
    if (!entry.own || (element.dataset.state ?? "") === state) {
      return;
    }
    element.dataset.state = state;
    const foot = element.querySelector(".message-foot");
    foot.replaceChildren(STATES[state] ?? "");
    if (state === "failed") {
      const retry = make("button", { type: "button", textContent: "Try again" });
      retry.addEventListener("click", () => this._chat.retry(entry));
      foot.replaceChildren(`${entry.error ?? STATES.failed}. `, retry);
    }
  }

  _follow(entry) {
    if (this._atEnd || entry.own) {
      this._toEnd();
    } else if (entry.kind === "message") {
      this._jump.hidden = false;
    }
  }

  _toEnd(smoothly = false) {
    this._log.scrollTo({ top: this._log.scrollHeight, behavior: smoothly ? "smooth" : "instant" });
    this._jump.hidden = true;
  }

  _noteSize() {
    this._size = sizeOf(this._log);
    if (this._atEnd) {
      this._toEnd();
    }
  }

  _noteScroll() {
    if (this._size !== sizeOf(this._log)) {
      return; // moved by a new size, which is about to be noted, not by the reader
    }
    const { scrollHeight, scrollTop, clientHeight } = this._log;
    this._atEnd = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    if (this._atEnd) {
      this._jump.hidden = true;
    }
  }
}

function sizeOf({ clientWidth, clientHeight }) {
  return `${clientWidth}x${clientHeight}`;
}

function beginning(room) {
  const title = make("h2", {}, make("span", { className: "hash", textContent: "#" }), room.name);
  const text = room.topic || "A room of your own: share the address of this page to invite others";
  return make("header", { className: "beginning" }, title, make("p", { textContent: text }));
}

/** "Ada, Grace and Skyy joined" */
function notice({ kind, users }) {
  const line = make("p", { className: "notice" });
  users.forEach(({ name }, index) => {
    const separator = index === 0 ? "" : index === users.length - 1 ? " and " : ", ";
    line.append(separator, make("strong", { textContent: name }));
  });
  const [singular, plural = singular] = NOTICES[kind];
  line.append(` ${users.length === 1 ? singular : plural}`);
  return line;
}

/** True when the message goes on where the one before it stopped: no need to name its author. */
function continues(entry, previous, element) {
  return (
    previous?.kind === "message" &&
    element.childElementCount === 0 &&
    previous.user.id === entry.user.id &&
    entry.time - previous.time < GROUP_WITHIN
  );
}
