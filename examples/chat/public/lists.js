// What surrounds the messages: the rooms, the people, who is typing, the connection's state.

import { avatar, byId, make } from "./dom.js";

const STATUS = {
  offline: "Offline",
  connecting: "Connecting",
  online: "Online",
  reconnecting: "Reconnecting",
};

/** The rooms, those entered with their unread counts, the others with how many are inside. */
export function showRooms(chat) {
  const sizes = new Map(chat.directory.map(({ name, size }) => [name, size]));
  const others = chat.directory.filter(({ name }) => !chat.rooms.has(name));
  for (const [id, rooms] of [
    ["joined-rooms", [...chat.rooms.values()]],
    ["other-rooms", others],
  ]) {
    const list = byId(id);
    const kept = new Map([...list.children].map((item) => [item.firstChild.dataset.room, item]));
    const items = rooms.map(({ name, unread = 0 }) => {
      const item = kept.get(name) ?? roomItem(name);
      fillRoom(item.firstChild, name === chat.current?.name, unread, sizes.get(name) ?? 0);
      return item;
    });
    placeItems(list, items);
  }
  byId("other-title").hidden = others.length === 0;

  const unread = chat.totalUnread;
  byId("total-unread").hidden = unread === 0;
  byId("total-unread").textContent = short(unread);
  const counter = unread > 0 ? `(${short(unread)}) ` : "";
  document.title = chat.current ? `${counter}#${chat.current.name} · Chat` : "Chat";
}

/** The title of the conversation. */
export function showRoom(chat) {
  const { name, topic } = chat.current;
  byId("room-title").replaceChildren(make("span", { className: "hash", textContent: "#" }), name);
  byId("room-topic").textContent = topic || "A room of your own";
  byId("leave-room").hidden = chat.rooms.size < 2;
  byId("text").placeholder = `Message #${name}`;
}

/** The people in the room that is shown, oneself first. */
export function showMembers(chat) {
  const { members, typing } = chat.current;
  const people = [...members.values()].sort((a, b) => {
    return (b.id === chat.me.id) - (a.id === chat.me.id) || a.name.localeCompare(b.name);
  });
  const items = people.map((user) => {
    const name = make("span", { className: "member-name", textContent: user.name });
    const item = make("li", { className: "member" }, avatar(user), name);
    if (user.id === chat.me.id) {
      item.append(make("span", { className: "you", textContent: "you" }));
    } else if (typing.has(user.id)) {
      item.append(dots());
    }
    return item;
  });
  byId("members").replaceChildren(...items);
  byId("people-count").textContent = people.length;
  byId("people-total").textContent = people.length;
  const what = people.length === 1 ? "1 person" : `${people.length} people`;
  byId("open-people").ariaLabel = `Show who is here: ${what}`;
}

/** "Ada is typing", below the messages. */
export function showTyping(chat) {
  const names = [...chat.current.typing.values()].map(({ user }) => user.name);
  const text =
    names.length > 2
      ? "Several people are typing"
      : `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing`;
  byId("typing").replaceChildren(...(names.length > 0 ? [dots(), text] : []));
}

/** The state of the connection: beside one's own name, and in a banner when it is lost. */
export function showStatus(chat) {
  const { status, attempt } = chat;
  const label = byId("status");
  label.dataset.status = status;
  label.textContent = STATUS[status];
  const banner = byId("banner");
  const lost = status === "reconnecting";
  if (lost) {
    const count = attempt > 1 ? ` (attempt ${attempt})` : "";
    const text = `Connection lost. Reconnecting${count}, your messages will wait.`;
    banner.replaceChildren(make("span", { className: "spinner" }), text);
  } else if (status === "online" && banner.dataset.state === "lost") {
    banner.replaceChildren("You are back online");
  }
  if (lost || banner.dataset.state === "lost") {
    banner.dataset.state = lost ? "lost" : "back";
  }
  byId("app").classList.toggle("is-lost", lost);
}

function roomItem(name) {
  const button = make("button", { type: "button", className: "room" });
  button.dataset.room = name;
  button.append(
    make("span", { className: "hash", textContent: "#" }),
    make("span", { className: "room-name", textContent: name }),
    make("span", { className: "room-count" }),
  );
  return make("li", {}, button);
}

function fillRoom(button, current, unread, size) {
  button.ariaCurrent = current ? "true" : null;
  const count = button.lastChild;
  count.classList.toggle("badge", unread > 0);
  const [number, meaning] = unread > 0 ? [unread, " unread"] : [size, " inside"];
  const hint = make("span", { className: "sr-only", textContent: meaning });
  count.replaceChildren(...(number > 0 ? [short(number), hint] : []));
}

/** Puts the items into a list; the one that has the focus keeps it. */
function placeItems(list, items) {
  const same = (item, index) => item === list.children[index];
  if (items.length === list.children.length && items.every(same)) {
    return; // moving what is in place would lose a click that is under way
  }
  const focused = list.contains(document.activeElement) ? document.activeElement : undefined;
  list.replaceChildren(...items);
  focused?.focus();
}

function dots() {
  const element = make("span", { className: "dots" }, make("i"), make("i"), make("i"));
  element.ariaHidden = "true";
  return element;
}

function short(count) {
  return count > 99 ? "99+" : String(count);
}
