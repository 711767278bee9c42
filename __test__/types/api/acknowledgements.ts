// Acknowledgements: what is inferred, what a timeout adds, what a broadcast gathers.

import { Server } from "socket.io";
import { expectType } from "../expect";
import type { ClientToServer, Profile, ServerToClient, ServerToServer } from "./maps";

const io = new Server<ClientToServer, ServerToClient, ServerToServer, Profile>();

io.on("connection", async (socket) => {
  // one client, no timeout
  socket.emit("ask", "why?", (text) => expectType<string>()(text));
  socket.emit("ready", (state, since) => {
    expectType<{ ok: boolean }>()(state);
    expectType<number>()(since);
  });
  socket.emit("seen", () => {});
  // @ts-expect-error: the acknowledgement is missing
  socket.emit("ask", "why?");
  expectType<string>()(await socket.emitWithAck("ask", "why?"));
  expectType<{ ok: boolean }>()(await socket.emitWithAck("ready"));
  expectType<undefined>()(await socket.emitWithAck("seen"));
  expectType<number>()(await socket.emitWithAck("failed"));
  // @ts-expect-error: asks for no acknowledgement
  socket.emitWithAck("said", "Ada", "hello");
  // @ts-expect-error: the promise stands for the acknowledgement
  socket.emitWithAck("ask", "why?", () => {});
  // @ts-expect-error: the question is missing
  socket.emitWithAck("ask");

  // one client, with a timeout
  const timed = socket.timeout(1000);
  timed.emit("ask", "why?", (err, text) => {
    expectType<Error>()(err);
    expectType<string>()(text);
  });
  timed.emit("ready", (err, state, since) => {
    expectType<Error>()(err);
    expectType<{ ok: boolean }>()(state);
    expectType<number>()(since);
  });
  timed.emit("seen", (err) => expectType<Error>()(err));
  timed.emit("failed", (err, code) => {
    expectType<Error>()(err);
    expectType<number>()(code);
  });
  timed.emit("said", "Ada", "hello");
  expectType<string>()(await timed.emitWithAck("ask", "why?"));
  expectType<{ ok: boolean }>()(await timed.emitWithAck("ready"));
  expectType<number>()(await timed.emitWithAck("failed"));
  expectType<Profile>()(timed.data);
  timed.on("say", (text) => expectType<string>()(text));

  // several clients: arrays
  socket.broadcast.timeout(1000).emit("ask", "why?", (err, texts) => {
    expectType<Error>()(err);
    expectType<string[]>()(texts);
  });
  socket.broadcast.emit("ask", "why?", (texts) => expectType<string[]>()(texts));
  expectType<string[]>()(await socket.to("room").timeout(1000).emitWithAck("ask", "why?"));
  expectType<number[]>()(await socket.to("room").timeout(1000).emitWithAck("failed"));
  expectType<number[]>()(await socket.to("room").emitWithAck("failed"));
  // @ts-expect-error: there is no timeout
  socket.to("room").emitWithAck("ask", "why?");
});

async function broadcasts() {
  // events that ask for an acknowledgement are refused without a timeout
  io.emit("said", "Ada", "hello");
  io.emit("nothing");
  // @ts-expect-error: asks for an acknowledgement
  io.emit("ask", "why?", () => {});
  // @ts-expect-error: asks for an acknowledgement
  io.of("/").emit("ready", () => {});
  // @ts-expect-error: asks for an acknowledgement, even if nothing comes with it
  io.emit("seen", () => {});

  for (const target of [io, io.sockets]) {
    target.timeout(1000).emit("ask", "why?", (err, texts) => {
      expectType<Error>()(err);
      expectType<string[]>()(texts);
    });
    target.timeout(1000).emit("ready", (err, states) => {
      expectType<Error>()(err);
      expectType<{ ok: boolean }[]>()(states);
    });
    target.timeout(1000).emit("seen", (err) => expectType<Error>()(err));
    target.timeout(1000).emit("count", 1);
    expectType<string[]>()(await target.timeout(1000).emitWithAck("ask", "why?"));
    expectType<{ ok: boolean }[]>()(await target.timeout(1000).emitWithAck("ready"));
    expectType<string[]>()(await target.to("a").timeout(1000).emitWithAck("ask", "why?"));
    expectType<string[]>()(await target.timeout(1000).to("a").local.emitWithAck("ask", "why?"));
    // @ts-expect-error: asks for no acknowledgement
    target.timeout(1000).emitWithAck("count", 1);
  }

  // @ts-expect-error: only the first value of each answer is kept
  io.timeout(1000).emit("ready", (err, states, since) => [err, states, since]);

  for (const socket of await io.fetchSockets()) {
    socket.timeout(1000).emit("ask", "why?", (err, text) => {
      expectType<Error>()(err);
      expectType<string>()(text);
    });
    expectType<string>()(await socket.timeout(1000).emitWithAck("ask", "why?"));
  }
}
broadcasts();

// answers that return something, and labels that editors show
interface Labelled {
  ask: (cb: (first: "a" | "b") => string) => number;
}
declare const labelled: Server<Labelled>;
labelled.timeout(1).emit("ask", (err, first) => {
  expectType<Error>()(err);
  expectType<("a" | "b")[]>()(first);
  return "";
});
// @ts-expect-error: the acknowledgement has to return a string
labelled.timeout(1).emit("ask", () => 1);

// one untyped event makes all names count, with and without acknowledgement
interface Mixed {
  any: (value: any) => void;
  plain: (n: number) => void;
  ask: (answer: (n: number) => void) => void;
}
declare const mixed: Server<Mixed>;
mixed.emit("ask", (n) => expectType<number>()(n));
mixed.emit("plain", 1);
mixed.timeout(1).emitWithAck("ask");
