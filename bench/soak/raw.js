"use strict";

// A thin Socket.IO client, light enough for thousands in a process: engine protocols 3 and 4
// over WebSocket, polling, or polling and then an upgrade. It knows no messages; life.js does.

const http = require("http");
const WebSocket = require("ws");

const SEPARATOR = "\x1e";
const UPGRADE_LIMIT_MS = 30_000;

/**
 * @typedef {object} Target
 * @property {number} port
 * @property {3 | 4} protocol the engine's: 4 for Socket.IO 3 and 4, 3 for Socket.IO 2
 * @property {"websocket" | "polling" | "upgrade"} transport
 * @property {string} query what the server sees beside the engine's own
 * @property {http.Agent} agent
 */

/**
 * One connection. `listener` is told `connected(nsp)`, `event(nsp, args, answer)` with an
 * `answer` where one is asked for, `left(nsp)` and, once, `closed(reason)`.
 */
class Raw {
  /** @param {Target} target */
  constructor(target, listener) {
    this.target = target;
    this.listener = listener;
    this.isOpen = true;
    this.sid = undefined;
    /** The WebSocket that carries packets, once there is one. */
    this.websocket = undefined;
    this.probe = undefined;
    this.queue = [];
    this.poll = undefined;
    this.post = undefined;
    this.isStalled = false;
    this.isUpgrading = false;
    this.acks = new Map();
    this.lastAck = 0;
    this.partial = undefined;
    if (target.transport === "websocket") {
      this.websocket = this.openWebSocket();
      this.websocket.on("message", (bytes, isBinary) => this.onFrame(bytes, isBinary));
      this.websocket.on("close", () => this.close("transport close"));
    } else {
      this.pollOn();
    }
  }

  /** Sends an event; with `done`, asks for its acknowledgement. */
  emit(nsp, args, done) {
    let id = "";
    if (done) {
      id = this.lastAck++;
      this.acks.set(id, done);
    }
    this.sendArguments(2, nsp, id, args);
  }

  /** Joins a namespace. */
  join(nsp) {
    this.send(`40${prefix(nsp)}`);
  }

  leave(nsp) {
    this.send(`41${prefix(nsp)}`);
  }

  /** Says and reads nothing for so long that the server must give it up. */
  silence(ms) {
    clearInterval(this.pings);
    this.stall(ms);
  }

  /** Stops reading for a while. */
  stall(ms) {
    this.isStalled = true;
    this.websocket?.pause();
    // The last one counts: a short stall must not end a long one.
    clearTimeout(this.stalled);
    this.stalled = setTimeout(() => {
      this.isStalled = false;
      this.websocket?.resume();
      this.pollOn();
    }, ms);
  }

  /** Leaves as a client should: the main namespace, then the connection. */
  end() {
    this.leave("/");
    this.flushed(() => {
      if (!this.websocket) {
        this.send("1");
      }
      this.flushed(() => this.close("left"));
    });
  }

  /** Ends everything at once, as a lost network would. */
  destroy() {
    this.tcp?.destroy();
    this.probe?.terminate();
    this.poll?.destroy();
    this.post?.destroy();
    this.close("destroyed");
  }

  /** Ends in the middle of a frame or a POST. */
  breakOff() {
    if (this.websocket) {
      const { tcp } = this;
      tcp?.write(Buffer.from([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5, 6]), () => this.destroy());
      return;
    }
    const path = this.path("polling");
    const headers = { "content-length": 4_096, "content-type": "text/plain" };
    const request = http.request({ ...this.address, path, method: "POST", headers });
    request.on("error", () => {});
    request.write("4", () => {
      request.destroy();
      this.destroy();
    });
  }

  /** Writes bytes that are no frame, or a body that is no payload. */
  garble(bytes) {
    if (this.websocket) {
      this.tcp?.write(bytes);
    } else {
      this.request("POST", bytes, () => this.pollOn());
    }
  }

  /** A packet as it is, right or wrong. */
  send(packet) {
    this.queue.push(packet);
    this.flush();
  }

  get tcp() {
    return this.websocket?._socket;
  }

  get address() {
    return { host: "127.0.0.1", port: this.target.port };
  }

  path(transport) {
    const { protocol, query } = this.target;
    const text = protocol === 3 && transport === "polling" ? "&b64=1" : "";
    const sid = this.sid ? `&sid=${this.sid}` : "";
    return `/socket.io/?EIO=${protocol}&transport=${transport}&${query}${text}${sid}`;
  }

  openWebSocket() {
    const { host, port } = this.address;
    const websocket = new WebSocket(`ws://${host}:${port}${this.path("websocket")}`, {
      perMessageDeflate: false,
    });
    websocket.on("error", () => {});
    return websocket;
  }

  sendArguments(type, nsp, id, args) {
    const attachments = [];
    const plain = args.map((arg) => {
      if (!Buffer.isBuffer(arg)) {
        return arg;
      }
      attachments.push(arg);
      return { _placeholder: true, num: attachments.length - 1 };
    });
    const head = attachments.length > 0 ? `4${type + 3}${attachments.length}-` : `4${type}`;
    this.queue.push(`${head}${prefix(nsp)}${id}${JSON.stringify(plain)}`, ...attachments);
    this.flush();
  }

  flush() {
    if (!this.isOpen || this.queue.length === 0) {
      return;
    }
    if (this.websocket) {
      if (this.websocket.readyState === WebSocket.OPEN && this.sid) {
        for (const packet of this.queue.splice(0)) {
          const isBinary = Buffer.isBuffer(packet);
          const marked = isBinary && this.target.protocol === 3;
          this.websocket.send(marked ? Buffer.concat([Buffer.from([4]), packet]) : packet);
        }
      }
      this.whenFlushed?.();
      return;
    }
    if (!this.sid || this.post || this.isUpgrading) {
      return;
    }
    const body = this.encodePayload(this.queue.splice(0));
    this.post = this.request("POST", body, () => {
      this.post = undefined;
      this.flush();
      this.goOnUpgrading();
      if (!this.post) {
        this.whenFlushed?.();
      }
    });
  }

  /** Calls back once all that was sent is on its way: for polling, answered. */
  flushed(done) {
    if (!this.websocket && (this.post || this.queue.length > 0)) {
      this.whenFlushed = () => {
        this.whenFlushed = undefined;
        done();
      };
    } else {
      done();
    }
  }

  pollOn() {
    if (this.websocket || this.poll || !this.isOpen || this.isStalled || this.isUpgrading) {
      return;
    }
    this.poll = this.request("GET", undefined, (body) => {
      this.poll = undefined;
      for (const packet of this.decodePayload(body)) {
        this.onPacket(packet);
      }
      this.goOnUpgrading();
      this.pollOn();
    });
  }

  request(method, body, done) {
    const { agent } = this.target;
    const request = http.request({ ...this.address, agent, method, path: this.path("polling") });
    request.on("error", () => this.close("transport error"));
    request.on("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", () => this.close("transport error"));
      response.on("end", () => {
        if (response.statusCode === 200) {
          done(Buffer.concat(chunks).toString());
        } else {
          this.close(`status ${response.statusCode}`);
        }
      });
    });
    request.end(body);
    return request;
  }

  encodePayload(packets) {
    if (this.target.protocol === 4) {
      return packets
        .map((packet) => (Buffer.isBuffer(packet) ? `b${packet.toString("base64")}` : packet))
        .join(SEPARATOR);
    }
    return packets
      .map((packet) => (Buffer.isBuffer(packet) ? `b4${packet.toString("base64")}` : packet))
      .map((packet) => `${packet.length}:${packet}`)
      .join("");
  }

  decodePayload(body) {
    if (this.target.protocol === 4) {
      return body
        .split(SEPARATOR)
        .map((packet) => (packet[0] === "b" ? Buffer.from(packet.slice(1), "base64") : packet));
    }
    const packets = [];
    for (let at = 0; at < body.length;) {
      const colon = body.indexOf(":", at);
      const end = colon + 1 + Number(body.slice(at, colon));
      const packet = body.slice(colon + 1, end);
      packets.push(packet[0] === "b" ? Buffer.from(packet.slice(2), "base64") : packet);
      at = end;
    }
    return packets;
  }

  onFrame(bytes, isBinary) {
    if (!isBinary) {
      this.onPacket(bytes.toString());
    } else {
      this.onPacket(this.target.protocol === 3 ? bytes.subarray(1) : bytes);
    }
  }

  onPacket(packet) {
    if (!this.isOpen) {
      return;
    }
    if (Buffer.isBuffer(packet)) {
      this.onAttachment(packet);
      return;
    }
    switch (packet[0]) {
      case "0":
        this.onHandshake(JSON.parse(packet.slice(1)));
        break;
      case "1":
        this.close("transport close");
        break;
      case "2":
        this.send("3");
        break;
      case "4":
        this.onMessage(packet.slice(1));
        break;
    }
  }

  onHandshake({ sid, pingInterval, upgrades }) {
    this.sid = sid;
    if (this.target.protocol === 3) {
      this.pings = setInterval(() => this.send("2"), pingInterval);
    } else {
      this.join("/");
    }
    if (this.target.transport === "upgrade" && upgrades.includes("websocket")) {
      this.upgrade();
    }
    this.flush();
  }

  upgrade() {
    this.probe = this.openWebSocket();
    const late = setTimeout(() => this.close("upgrade timeout"), UPGRADE_LIMIT_MS);
    this.probe.on("open", () => this.probe.send("2probe"));
    this.probe.on("close", () => {
      clearTimeout(late);
      this.close("transport close");
    });
    this.probe.on("message", (bytes, isBinary) => {
      if (this.websocket) {
        this.onFrame(bytes, isBinary);
      } else if (bytes.toString() === "3probe") {
        clearTimeout(late);
        // No more polls or POSTs; those under way are waited for.
        this.isUpgrading = true;
        this.goOnUpgrading();
      }
    });
  }

  goOnUpgrading() {
    if (this.isUpgrading && !this.poll && !this.post && this.isOpen) {
      this.isUpgrading = false;
      this.probe.send("5");
      this.websocket = this.probe;
      if (this.isStalled) {
        this.websocket.pause();
      }
      this.flush();
    }
  }

  onMessage(text) {
    const type = text.charCodeAt(0) - 48;
    let at = 1;
    let attachments = 0;
    if (type === 5 || type === 6) {
      const dash = text.indexOf("-");
      attachments = Number(text.slice(1, dash));
      at = dash + 1;
    }
    let nsp = "/";
    if (text[at] === "/") {
      const comma = text.indexOf(",", at);
      nsp = text.slice(at, comma === -1 ? undefined : comma);
      at = comma === -1 ? text.length : comma + 1;
    }
    const digits = /^\d*/.exec(text.slice(at, at + 16))[0];
    at += digits.length;
    const id = digits === "" ? undefined : Number(digits);
    const content = at < text.length ? JSON.parse(text.slice(at)) : undefined;
    const packet = { type: type > 4 ? type - 3 : type, nsp, id, content };
    if (attachments > 0) {
      this.partial = { packet, missing: attachments, attachments: [] };
    } else {
      this.onSocketPacket(packet);
    }
  }

  onAttachment(bytes) {
    const { partial } = this;
    if (!partial) {
      this.close("an attachment that belongs to nothing");
      return;
    }
    partial.attachments.push(bytes);
    if (--partial.missing === 0) {
      this.partial = undefined;
      const { packet, attachments } = partial;
      packet.content = packet.content.map((arg) =>
        arg && arg._placeholder ? attachments[arg.num] : arg,
      );
      this.onSocketPacket(packet);
    }
  }

  onSocketPacket({ type, nsp, id, content }) {
    switch (type) {
      case 0:
        this.listener.connected(nsp);
        break;
      case 1:
        this.listener.left(nsp);
        break;
      case 2:
        this.listener.event(
          nsp,
          content,
          id === undefined ? undefined : (...args) => this.sendArguments(3, nsp, id, args),
        );
        break;
      case 3: {
        const done = this.acks.get(id);
        this.acks.delete(id);
        if (done) {
          done(...content);
        } else {
          this.listener.wrong("an acknowledgement that nobody waits for");
        }
        break;
      }
      default:
        this.close(`packet ${type}: ${JSON.stringify(content)}`);
    }
  }

  close(reason) {
    if (!this.isOpen) {
      return;
    }
    this.isOpen = false;
    clearInterval(this.pings);
    this.queue = [];
    this.websocket?.close();
    this.probe?.close();
    this.poll?.destroy();
    this.listener.closed(reason);
  }
}

module.exports = { Raw };

function prefix(nsp) {
  return nsp === "/" ? "" : `${nsp},`;
}
