"use strict";

// The clients of the leak test, in a process of their own: asked for a batch of sessions by a
// message, they open, use and leave each, so many at a time, and report. See connections.js.

const {
  OPCODE,
  Wire,
  closePayload,
  frame,
  readFrame,
  readResponse,
  requestBytes,
  upgradeHeaders,
} = require("../protocol/wire");

const CONCURRENCY = 24;

process.on("message", async ({ port, websocket, polling }) => {
  try {
    await inParallel(websocket, (n) => websocketCycle(port, n));
    await inParallel(polling, (n) => pollingCycle(port, n));
    process.send({});
  } catch (error) {
    process.send({ error: error.stack });
  }
});

process.send("ready");

/** Calls `cycle` with 0, 1, ... `count - 1`, at most CONCURRENCY at a time. */
async function inParallel(count, cycle) {
  let next = 0;
  const worker = async () => {
    while (next < count) await cycle(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** The ways a WebSocket session ends. Each leaves something half done where it can. */
const WEBSOCKET_ENDINGS = [
  async function closeFrame(wire) {
    wire.write(frame(OPCODE.close, closePayload(1000)));
    await wire.rest();
  },
  async function disconnectAndFin(wire) {
    wire.write(frame(OPCODE.text, "41"));
    wire.end();
    await wire.rest();
  },
  async function resetWithQuestionOpen(wire) {
    wire.write(frame(OPCODE.text, '42["question"]'));
    await expectText(wire, '["question"]');
    wire.reset();
    await wire.gone();
  },
  async function disconnectedByServer(wire) {
    wire.write(frame(OPCODE.text, '42["leave"]'));
    await expectText(wire, "41");
    await readFrame(wire);
    wire.write(frame(OPCODE.close, ""));
    await wire.rest();
  },
  async function attachmentsOutstanding(wire) {
    wire.write(frame(OPCODE.text, '452-["x",{"_placeholder":true,"num":0}]'));
    wire.write(frame(OPCODE.binary, Buffer.alloc(2000)));
    wire.end();
    await wire.rest();
  },
  async function fragmentOutstanding(wire) {
    wire.write(frame(OPCODE.text, `42["${"x".repeat(2000)}`, { fin: false }));
    wire.end();
    await wire.rest();
  },
  async function packetThatDoesNotParse(wire) {
    wire.write(frame(OPCODE.text, "xyz"));
    await readFrame(wire);
    wire.end();
    await wire.rest();
  },
  async function unmaskedFrame(wire) {
    wire.write(frame(OPCODE.text, "6", { masked: false }));
    await readFrame(wire);
    wire.end();
    await wire.rest();
  },
];

async function websocketCycle(port, n) {
  const wire = await Wire.open(port);
  await upgrade(wire, "/socket.io/?EIO=4&transport=websocket");
  await expectText(wire, '0{"sid":');
  await useWebSocket(wire, n, "40");
  await WEBSOCKET_ENDINGS[n % WEBSOCKET_ENDINGS.length](wire);
  wire.destroy();
}

/** The ways a polling session ends; `ask` makes a request on the session's connection. */
const POLLING_ENDINGS = [
  async function closePacket(ask) {
    await ask({ method: "POST", body: "1" });
  },
  async function abortedGet(ask, wire) {
    // Dropped only once the request is with the kernel, so that the server does see it.
    await new Promise((resolve) => wire.socket.write(ask.bytes({}), resolve));
    wire.destroy();
    await wire.gone();
  },
  async function upgraded(ask, wire, n, port) {
    const websocket = await Wire.open(port);
    await upgrade(websocket, ask.path.replace("polling", "websocket"));
    websocket.write(frame(OPCODE.text, "2probe"));
    await expectText(websocket, "3probe");
    websocket.write(frame(OPCODE.text, "5"));
    await useWebSocket(websocket, n);
    await WEBSOCKET_ENDINGS[n % WEBSOCKET_ENDINGS.length](websocket);
    websocket.destroy();
  },
  async function abandonedProbe(ask, wire, n, port) {
    const websocket = await Wire.open(port);
    await upgrade(websocket, ask.path.replace("polling", "websocket"));
    websocket.write(frame(OPCODE.text, "2probe"));
    await expectText(websocket, "3probe");
    await ask({ method: "POST", body: "1" });
    await readFrame(websocket);
    websocket.end();
    await websocket.rest();
  },
];

async function pollingCycle(port, n) {
  const wire = await Wire.open(port);
  let path = "/socket.io/?EIO=4&transport=polling";
  const ask = async (request) => {
    wire.write(ask.bytes(request));
    const response = await readResponse(wire);
    if (response.status !== 200) throw new Error(`${response.statusLine}: ${response.text}`);
    return response.text;
  };
  ask.bytes = (request) => requestBytes({ path, ...request });
  path += `&sid=${JSON.parse((await ask({})).slice(1)).sid}`;
  ask.path = path;
  await ask({ method: "POST", body: "40" });
  await ask({});
  await ask({ method: "POST", body: `421["echo",${n}]` });
  await ask({});
  await POLLING_ENDINGS[n % POLLING_ENDINGS.length](ask, wire, n >> 2, port);
  wire.destroy();
}

async function upgrade(wire, path) {
  wire.write(requestBytes({ path, headers: upgradeHeaders() }));
  const response = await readResponse(wire);
  if (response.status !== 101) throw new Error(`${response.statusLine}: ${response.text}`);
}

/** Joins, if asked to, and makes one round trip. */
async function useWebSocket(wire, n, connect) {
  if (connect !== undefined) {
    wire.write(frame(OPCODE.text, connect));
    await expectText(wire, '40{"sid":');
  }
  wire.write(frame(OPCODE.text, `421["echo",${n}]`));
  await expectText(wire, `431[${n}]`);
}

/** Reads a frame that must contain `text`. */
async function expectText(wire, text) {
  const { payload } = await readFrame(wire);
  const actual = payload.toString();
  if (!actual.includes(text)) throw new Error(`expected ${text}, got ${actual}`);
}
