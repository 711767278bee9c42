// The chat without its looks: the connection, the rooms and what is in them, what is still to be
// sent. Says what changed with "change" events; view.js shows it.

/* global io:readonly */

const ANSWER_WITHIN = 8000;
const TYPING_LASTS = 5000;
const TYPING_REPEATS = 2000;
const LONGEST_LOG = 500;

export class Chat extends EventTarget {
  constructor() {
    super();
    this.me = undefined;
    /** offline (signed out), connecting, online, or reconnecting */
    this.status = "offline";
    this.attempt = 0;
    this.rooms = new Map(); // name -> Room
    this.directory = []; // all rooms of the server: { name, topic, size }
    this.current = undefined;
    this._socket = undefined;
  }

  /** Signs in; the outcome shows in the status, or in a "refused" event. */
  signIn(name, session, roomNames, current) {
    roomNames.forEach((roomName) => this._room(roomName));
    this.current = this._room(current);
    this._setStatus("connecting");
    // The answer to a lost connection is quick at first and never slower than three seconds.
    this._socket = io({
      auth: { name, session },
      reconnectionDelay: 500,
      reconnectionDelayMax: 3000,
    });
    this._listen(this._socket);
  }

  signOut() {
    this._socket?.disconnect();
    this._socket = undefined;
    this.rooms.clear();
    this.current = undefined;
    this.me = undefined;
    this._setStatus("offline");
  }

  /** Shows a room, entering it first if need be. */
  async open(name) {
    const room = this.rooms.get(name);
    if (room) {
      this._show(room);
      return;
    }
    const answer = await this._ask("room:enter", { room: name });
    if (!answer.ok) {
      throw new Error(answer.error);
    }
    const entered = this._room(answer.room.name);
    this._fill(entered, answer.room);
    this._show(entered);
  }

  /** Leaves the room that is shown; the last one stays. */
  leave() {
    const room = this.current;
    if (this.rooms.size < 2) {
      return;
    }
    this._socket.emit("room:leave", { room: room.name });
    this.rooms.delete(room.name);
    this._show([...this.rooms.values()][0]);
  }

  /** Sends a message to the room that is shown; it waits if there is no connection. */
  send(text) {
    const nonce = newKey();
    const entry = {
      kind: "message",
      key: keyOf({ user: this.me, nonce }),
      nonce,
      user: this.me,
      text,
      time: Date.now(),
      own: true,
      state: "sending",
    };
    this.current.typingSentAt = 0;
    this.current.firstUnread = undefined;
    this._append(this.current, entry);
    this._deliver(this.current, entry);
  }

  /** Tries a message again that could not be sent. */
  retry(entry) {
    const room = [...this.rooms.values()].find(({ entries }) => entries.includes(entry));
    this._setState(room, entry, "sending");
    this._deliver(room, entry);
  }

  /** Says that the person is typing in the room that is shown, or has stopped. */
  typing(isTyping) {
    const room = this.current;
    const now = Date.now();
    const recently = now - room.typingSentAt < TYPING_REPEATS;
    if (this.status !== "online" || (isTyping ? recently : room.typingSentAt === 0)) {
      return;
    }
    room.typingSentAt = isTyping ? now : 0;
    this._socket.emit("typing", { room: room.name, typing: isTyping });
  }

  /** Called when the person turns to the page, or away from it. */
  seen() {
    if (!this.current) {
      return;
    }
    if (document.hidden) {
      this.current.firstUnread = undefined;
    } else {
      this.current.unread = 0;
    }
    this._changed("rooms");
  }

  get totalUnread() {
    return [...this.rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  _listen(socket) {
    socket.on("welcome", ({ user, rooms }) => {
      this.me = user;
      this.directory = rooms;
      this._enterAll();
    });
    socket.on("connect_error", (error) => {
      if (error.data?.refused) {
        this.signOut();
        this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
      }
    });
    socket.on("disconnect", (reason) => {
      if (reason === "io server disconnect") {
        socket.connect(); // the client does that by itself in all other cases
      }
      if (reason !== "io client disconnect") {
        this.attempt = 0;
        this._setStatus("reconnecting");
      }
    });
    socket.io.on("reconnect_attempt", (attempt) => {
      this.attempt = attempt;
      this._changed("status");
    });
    socket.on("rooms", (rooms) => {
      this.directory = rooms;
      this._changed("rooms");
    });
    socket.on("message", (message) => this._in(message, (room) => this._receive(room, message)));
    socket.on("typing", (notice) => {
      this._in(notice, (room) => this._noteTyping(room, notice.user, notice.typing));
    });
    socket.on("room:entered", (notice) => {
      this._in(notice, (room) => {
        room.members.set(notice.user.id, notice.user);
        this._note(room, "entered", notice.user);
        this._changed("members");
      });
    });
    socket.on("room:left", (notice) => {
      this._in(notice, (room) => {
        room.members.delete(notice.user.id);
        this._noteTyping(room, notice.user, false);
        this._note(room, "left", notice.user);
        this._changed("members");
      });
    });
  }

  /** After every connect: the server knows nothing of us, or has forgotten us meanwhile. */
  async _enterAll() {
    const socket = this._socket;
    const rooms = [...this.rooms.values()];
    const answers = await Promise.all(
      rooms.map(({ name }) => this._ask("room:enter", { room: name })),
    );
    if (socket !== this._socket || !socket.connected) {
      return; // gone again: the next connect starts over
    }
    rooms.forEach((room, index) => {
      const answer = answers[index];
      if (answer.ok) {
        this._fill(room, answer.room);
      } else if (this.rooms.size > 1) {
        this.rooms.delete(room.name); // the name in the page's address was not a room's
      }
    });
    if (!this.rooms.has(this.current?.name)) {
      this.current = [...this.rooms.values()][0];
    }
    this._setStatus("online");
    this._changed("room", "rooms", "members");
    for (const room of this.rooms.values()) {
      const waiting = room.entries.filter(({ state }) => state === "waiting");
      waiting.forEach((entry) => this._deliver(room, entry));
    }
  }

  /** Merges what the server says of a room into what is known of it already. */
  _fill(room, { topic, members, history }) {
    room.topic = topic;
    room.members = new Map(members.map((user) => [user.id, user]));
    for (const message of history) {
      this._receive(room, message, room.filled);
    }
    room.filled = true;
  }

  /** A message from the server, which may be an old one, or our own from another window. */
  _receive(room, message, counts = true) {
    const own = message.user.id === this.me.id;
    const known = room.entries.find(({ key }) => key === keyOf(message));
    if (known) {
      if (known.state) {
        this._setState(room, known, undefined);
      }
      return;
    }
    const { user, text, time } = message;
    const entry = { kind: "message", key: keyOf(message), user, text, time, own };
    this._noteTyping(room, user, false);
    if (counts && !own && (room !== this.current || document.hidden)) {
      room.unread += 1;
      room.firstUnread ??= entry.key;
    }
    this._append(room, entry);
    this._changed("rooms");
  }

  async _deliver(room, entry) {
    if (this.status !== "online") {
      this._setState(room, entry, "waiting");
      return;
    }
    const { text, nonce } = entry;
    const answer = await this._ask("message", { room: room.name, text, nonce });
    if (answer.ok) {
      entry.time = answer.message.time;
      this._setState(room, entry, undefined);
    } else if (answer.lost && this.status !== "online") {
      // Whether it arrived is not known: sent again, the server recognises it by its number.
      this._setState(room, entry, "waiting");
    } else {
      entry.error = answer.error;
      this._setState(room, entry, "failed");
    }
  }

  /** The server's answer, `{ ok, error?, ... }`; `lost` says that none came. */
  async _ask(event, request) {
    const socket = this._socket;
    let lose;
    const lost = new Promise((resolve) => {
      lose = () => resolve({ ok: false, lost: true, error: "The connection was lost" });
      socket.once("disconnect", lose);
    });
    const asked = socket.timeout(ANSWER_WITHIN).emitWithAck(event, request);
    try {
      return await Promise.race([asked, lost]);
    } catch {
      return { ok: false, lost: true, error: "The server does not answer" };
    } finally {
      socket.off("disconnect", lose);
    }
  }

  _noteTyping(room, user, isTyping) {
    clearTimeout(room.typing.get(user.id)?.timer);
    room.typing.delete(user.id);
    if (isTyping) {
      // Whoever closes the lid while typing never says that it is over.
      const timer = setTimeout(() => this._noteTyping(room, user, false), TYPING_LASTS);
      room.typing.set(user.id, { user, timer });
    }
    this._changed("typing");
  }

  /** Notes who came or went; what happens in a row is one line. */
  _note(room, kind, user) {
    const isOther = ({ id }) => id !== user.id;
    const before = room.entries.at(-1);
    if (kind === "entered" && before?.kind === "left" && !before.users.every(isOther)) {
      // A reload, or a short loss of the connection.
      kind = "back";
      room.entries.pop();
      if (before.users.some(isOther)) {
        room.entries.push({ kind: "left", users: before.users.filter(isOther) });
      }
    }
    const last = room.entries.at(-1);
    const users = last?.kind === kind ? room.entries.pop().users.filter(isOther) : [];
    this._append(room, { kind, users: [...users, user] });
  }

  _append(room, entry) {
    room.entries.push(entry);
    room.entries.splice(0, room.entries.length - LONGEST_LOG);
    if (room === this.current) {
      this._changed("entries");
    }
  }

  _setState(room, entry, state) {
    entry.state = state;
    if (room === this.current) {
      this._changed("entries");
    }
  }

  _show(room) {
    if (this.current && this.current !== room) {
      this.typing(false);
      this.current.firstUnread = undefined;
    }
    this.current = room;
    room.unread = 0;
    this._changed("room", "rooms", "members", "typing");
  }

  _setStatus(status) {
    this.status = status;
    if (status !== "online") {
      this.rooms.forEach((room) => {
        room.typing.forEach(({ timer }) => clearTimeout(timer));
        room.typing.clear();
        room.typingSentAt = 0;
      });
    }
    this._changed("status", "typing");
  }

  _in({ room: name }, action) {
    const room = this.rooms.get(name);
    if (room) {
      action(room);
    }
  }

  _room(name) {
    if (!this.rooms.has(name)) {
      this.rooms.set(name, {
        name,
        topic: "",
        members: new Map(),
        entries: [],
        typing: new Map(),
        typingSentAt: 0,
        unread: 0,
        firstUnread: undefined,
        draft: "",
        filled: false,
      });
    }
    return this.rooms.get(name);
  }

  _changed(...parts) {
    this.dispatchEvent(new CustomEvent("change", { detail: parts }));
  }
}

/** How a message is known: by its sender and the number that the sender gave it. */
function keyOf({ user, nonce }) {
  return `${user.id}:${nonce}`;
}

// crypto.randomUUID() is missing where the page came over plain HTTP from another machine.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
