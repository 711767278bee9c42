"use strict";

// @opentelemetry/instrumentation-socket.io, which patches the package's classes by the paths of
// their modules: it has to be there before the server package is loaded.

const assert = require("node:assert/strict");
const { eachTransport } = require("../support/scenario");
const { next, until } = require("../support/events");
const { load, serve } = require("./installed");

const sdk = load("@opentelemetry/sdk-trace-base");
const { SocketIoInstrumentation } = load("@opentelemetry/instrumentation-socket.io");

const exporter = new sdk.InMemorySpanExporter();
const instrumentation = new SocketIoInstrumentation({ traceReserved: true });
instrumentation.setTracerProvider(
  new sdk.BasicTracerProvider({ spanProcessors: [new sdk.SimpleSpanProcessor(exporter)] }),
);

eachTransport(
  "events, emits, broadcasts and connections make one span each",
  async (t, transport) => {
    exporter.reset();
    const app = await serve(t, { transport });
    app.io.on("connection", (socket) => socket.join("red"));
    const { client, socket } = await app.connect();
    socket.on("question", (ack) => ack("answer"));
    assert.equal(await client.emitWithAck("question"), "answer");
    for (const [event, emit] of [
      ["reply", () => socket.emit("reply")],
      ["news", () => app.io.to("red").emit("news")],
      ["all", () => app.io.emit("all")],
    ]) {
      const heard = next(client, event);
      emit();
      await heard;
    }
    await until(() => spansOf("question").length > 0);
    assert.deepEqual(spansOf("connection"), ["receive /"]);
    assert.deepEqual(spansOf("question"), ["receive /"]);
    assert.deepEqual(spansOf("reply"), ["send /"]);
    assert.deepEqual(spansOf("news"), ["send /"]);
    assert.deepEqual(spansOf("all"), ["send /"]);
    const news = exporter.getFinishedSpans().find(({ attributes }) => isOf(attributes, "news"));
    assert.deepEqual(news.attributes["messaging.socket.io.rooms"], ["red"]);
  },
);

function spansOf(event) {
  const spans = exporter.getFinishedSpans().filter(({ attributes }) => isOf(attributes, event));
  return spans.map((span) => span.name);
}

function isOf(attributes, event) {
  return attributes["messaging.socket.io.event_name"] === event;
}
