"use strict";

// The account of one client from its "hello" to its end: what it was sent must come in order
// and once, whatever it asks must be answered once, and when it leaves in order, nothing may be
// missing on either side.

const { PATIENCE_MS, binaryOf, checksBinary } = require("./messages");

/** Bytes that are no frame of a client. */
const NO_FRAMES = [
  [0x81, 0x01, 0x34],
  [0x83, 0x80, 0, 0, 0, 0],
  [0x81, 0x81, 0, 0, 0, 0, 0xff],
  [0xf1, 0x80, 0, 0, 0, 0],
].map(Buffer.from);

/** Packets that nobody may send. */
const NO_PACKETS = ["9oops", "4z", '42{"not":"a list"}', '451-["binary",0,{"_placeholder":true}'];

class Life {
  /**
   * @param {string} name
   * @param {import("./ledger").Ledger} ledger
   * @param {import("./dice").Dice} dice
   * @param {{pingInterval: number, pingTimeout: number}} timing
   * @param {(life: Life, isAlive: boolean) => void} changed told when it begins and when it ends
   */
  constructor(name, ledger, dice, timing, changed) {
    this.name = name;
    this.ledger = ledger;
    this.dice = dice;
    this.timing = timing;
    this.changed = changed;
    this.connection = undefined;
    this.isAlive = false;
    /** How it is to end, once that is decided. */
    this.ending = undefined;
    this.events = 0;
    this.asked = 0;
    this.told = 0;
    this.broadcasts = undefined;
    this.volatiles = -1;
    this.rooms = new Map();
    this.visiting = undefined;
    this.patience = this.expect("hello");
  }

  // What it does.

  act(kind, rooms) {
    const room = `room ${this.dice.below(rooms)}`;
    switch (kind) {
      case "event":
        this.say(["event", "z".repeat(this.dice.below(300))]);
        break;
      case "asked":
        this.ask(["event", "z".repeat(this.dice.below(300))], (n, answer) => {
          this.check("acknowledgement", answer === n);
        });
        break;
      case "binary":
        this.ask(["binary", binaryOf(this.events)], (n, answer, bytes) => {
          this.check("acknowledged attachment", answer === n && checksBinary(n + 1, bytes));
        });
        break;
      case "join":
        this.join(room);
        break;
      case "leave":
        this.leave();
        break;
      case "say":
        this.sayTo(room);
        break;
      case "visit":
        this.visit(this.dice.below(2) ? "/side" : `/dynamic-${this.dice.below(5)}`);
        break;
      case "throw":
        this.say(["throw"]);
        break;
      case "stall":
        this.ledger.add("clients that stalled");
        this.connection.stall(this.dice.below(this.timing.pingTimeout / 2));
        break;
    }
  }

  join(room) {
    if (this.rooms.size < 4 && !this.rooms.has(room)) {
      this.ask(["join", room], (_, number) => this.rooms.set(room, number));
    }
  }

  leave() {
    const [room] = this.rooms.keys();
    if (room !== undefined) {
      this.ask(["leave", room], (_, number) => {
        this.check("room left", !this.rooms.has(room) || this.rooms.get(room) === number);
        this.rooms.delete(room);
      });
    }
  }

  /** What a member says to its room comes to all others, and it is answered in its place. */
  sayTo(room) {
    const [own] = this.rooms.keys();
    const to = own ?? room;
    this.ask(["say", to], (_, number) => {
      if (this.rooms.has(to)) {
        this.check("own room message", this.rooms.get(to) === number);
        this.rooms.set(to, number + 1);
      }
    });
  }

  visit(nsp) {
    if (!this.visiting && this.connection.join) {
      this.visiting = nsp;
      this.connection.join(nsp);
    }
  }

  /** Ends it in one of several ways, or says that this cannot be now. */
  end(how) {
    if (this.ending || (how === "bye" && this.visiting)) {
      return false;
    }
    this.ending = how;
    switch (how) {
      case "bye":
        this.patience = this.expect("answer to bye");
        this.ask(["bye"], (_, account) => {
          clearTimeout(this.patience);
          this.settle(account);
          this.connection.end();
        });
        break;
      case "destroy":
        this.connection.destroy();
        break;
      case "break off":
        this.connection.breakOff();
        break;
      case "kick":
        this.patience = this.expect("end after a kick");
        this.say(["kick"]);
        break;
      case "garble":
        this.patience = this.expect("end after garbage");
        this.garble();
        break;
      case "silence":
        this.patience = this.expect("end after silence", this.silenceMs);
        this.connection.silence(this.silenceMs);
        break;
    }
    return true;
  }

  /**
   * By then one that says nothing must have been given up. After a stall of the event loop a client
   * on polling has its time once more, and what further stalls last.
   */
  get silenceMs() {
    return this.timing.pingInterval + 3 * this.timing.pingTimeout + 5_000;
  }

  garble() {
    if (this.dice.below(2)) {
      this.connection.send(this.dice.pick(NO_PACKETS));
    } else {
      const bytes = this.connection.websocket ? this.dice.pick(NO_FRAMES) : "zzz";
      this.connection.garble(bytes);
    }
  }

  say(args) {
    this.ledger.add("events sent");
    const [name, ...rest] = args;
    this.connection.emit("/", [name, this.events++, ...rest]);
  }

  ask([name, ...rest], answered) {
    this.ledger.add("events sent");
    const n = this.events++;
    let answers = 0;
    this.asked++;
    this.connection.emit("/", [name, n, ...rest], (...answer) => {
      this.asked--;
      this.ledger.add("acknowledged by the server");
      this.check("acknowledged once", ++answers === 1);
      answered(n, ...answer);
    });
  }

  // What it is told by its connection.

  connected(nsp) {
    if (nsp === "/") {
      return;
    }
    this.ledger.add("visits to other namespaces");
    this.connection.emit(nsp, ["echo", this.told], (...answer) => {
      this.check("echo of a namespace", answer.length === 1);
      this.connection.leave(nsp);
      this.visiting = undefined;
    });
  }

  event(nsp, [name, ...args], answer) {
    this.ledger.add("messages received");
    const [n, content] = args;
    switch (name) {
      case "hello":
        this.check("one hello", this.broadcasts === undefined);
        clearTimeout(this.patience);
        this.broadcasts = n;
        this.isAlive = true;
        this.ledger.add("lives begun");
        this.changed(this, true);
        break;
      case "tell":
        this.check("messages to one", n === this.told, `${n} instead of ${this.told}`);
        this.told = n + 1;
        answer?.(n);
        break;
      case "broadcast":
        this.check("broadcasts", n === this.broadcasts, `${n} instead of ${this.broadcasts}`);
        this.check("broadcast attachment", n % 5 !== 4 || checksBinary(n, content));
        this.broadcasts = n + 1;
        break;
      case "volatile":
        this.check("volatile", n > this.volatiles, `${n} after ${this.volatiles}`);
        this.volatiles = n;
        break;
      case "room": {
        const next = this.rooms.get(n);
        this.check("room messages", next === content, `${n}: ${content} instead of ${next}`);
        this.rooms.set(n, content + 1);
        break;
      }
      case "question":
        args.at(-1)?.();
        answer?.(this.name);
        break;
      default:
        this.wrong(`event ${name} in ${nsp}`);
    }
  }

  left(nsp) {
    if (nsp === "/") {
      this.connection.destroy();
    }
  }

  wrong(what) {
    this.ledger.fault("client: wrong", `${what} (${this.name})`);
  }

  closed(reason) {
    clearTimeout(this.patience);
    if (!this.isAlive) {
      this.ledger.fault("client: never began", `${reason} (${this.name})`);
    } else if (!this.ending) {
      this.ledger.fault("client: lost", `${reason} (${this.name})`);
    } else {
      this.ledger.add(`ended: ${this.ending}`);
      const how = this.ending === "bye" ? "accounted for" : "of clients that were cut off";
      this.ledger.add(`events sent, ${how}`, this.events);
    }
    this.isAlive = false;
    this.changed(this, false);
  }

  /** Compares both sides: the server's answer came after all it had sent. */
  settle({ events, told, broadcasts, rooms }) {
    this.check("unaccounted: events", events === this.events, `${this.events - events}`);
    this.check("unaccounted: messages to one", told === this.told, `${told - this.told}`);
    const missing = broadcasts - this.broadcasts;
    this.check("unaccounted: broadcasts", missing === 0, `${missing}`);
    this.check("unaccounted: acknowledgements", this.asked === 0, `${this.asked}`);
    this.check("unaccounted: rooms", rooms.length === this.rooms.size, `${rooms.length}`);
    for (const [room, number] of rooms) {
      const own = this.rooms.get(room);
      this.check("unaccounted: room messages", own === number, `${room}: ${own}, ${number}`);
    }
  }

  check(what, isRight, detail = "") {
    if (!isRight) {
      this.ledger.fault(`client: ${what}`, `${detail} (${this.name})`);
    }
  }

  expect(what, beyond = 0) {
    return setTimeout(() => {
      this.ledger.fault(`client: waited in vain for ${what}`, this.name);
      this.ending ??= "destroy";
      this.connection.destroy();
    }, PATIENCE_MS + beyond);
  }
}

module.exports = { Life };
