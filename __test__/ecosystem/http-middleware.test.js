"use strict";

// HTTP middleware beside Socket.IO and in `io.engine.use()`: Express, helmet, cors, compression,
// morgan, cookie-parser, and sessions with express-session and passport.

const assert = require("node:assert/strict");
const { WebSocket } = require("ws");
const { test, eachTransport } = require("../support/scenario");
const { next } = require("../support/events");
const { atEnd } = require("../support/cleanup");
const { load, serve } = require("./installed");

const USERS = new Map([["7", { id: "7", name: "Ada" }]]);

eachTransport(
  "helmet guards the answers of the engine, WebSocket included",
  async (t, transport) => {
    const helmet = load("helmet");
    const app = await serve(t, { transport, prepare: (io) => io.engine.use(helmet()) });
    const { client, socket } = await app.connect();
    client.emit("hello", "there");
    assert.deepEqual(await next(socket, "hello"), ["there"]);

    const headers = await headersOfHandshake(t, app);
    for (const { title, values } of headers) {
      assert.equal(values["x-content-type-options"], "nosniff", title);
      assert.ok(values["content-security-policy"], title);
    }
  },
);

eachTransport("a session made by Express is the socket's session", async (t, transport) => {
  const { app, cookie } = await sessionApp(t, transport);
  const { socket } = await app.connect("/", { extraHeaders: { cookie } });
  assert.equal(socket.request.session.count, 1);
  assert.equal(socket.request.sessionID, socket.request.session.id);

  socket.request.session.count++;
  await new Promise((resolve, reject) => {
    socket.request.session.save((error) => (error ? reject(error) : resolve()));
  });
  const answer = await fetch(`${app.url}/count`, { headers: { cookie } });
  assert.equal(await answer.text(), "3");
});

test("a session that begins with the handshake sets its cookie, with the 101 as well", async (t) => {
  const session = sessionWith({ saveUninitialized: true });
  const app = await serve(t, { prepare: (io) => io.engine.use(session) });
  for (const { title, values } of await headersOfHandshake(t, app)) {
    assert.match(String(values["set-cookie"]), /connect\.sid=/, title);
  }
});

eachTransport(
  "passport's user is the socket's user, strangers are refused",
  async (t, transport) => {
    const passport = new (load("passport").Passport)();
    passport.serializeUser((user, done) => done(null, user.id));
    passport.deserializeUser((id, done) => done(null, USERS.get(id)));
    const { app, cookie } = await sessionApp(t, transport, (express, session, io) => {
      const chain = [session, passport.initialize(), passport.session()];
      express.use(...chain.slice(1));
      express.get("/login", (req, res) => {
        req.login(USERS.get("7"), () => res.send("in"));
      });
      for (const middleware of chain.slice(1)) {
        io.engine.use((req, res, next) => {
          const isHandshake = req._query.sid === undefined;
          isHandshake ? middleware(req, res, next) : next();
        });
      }
      io.engine.use((req, res, next) => {
        if (req._query.sid !== undefined || req.user) {
          return next();
        }
        res.writeHead(401);
        res.end();
      });
    });
    const login = await fetch(`${app.url}/login`, { headers: { cookie } });
    // A login gives the session another id.
    const loggedIn = login.headers.get("set-cookie").split(";")[0];
    const { socket } = await app.connect("/", { extraHeaders: { cookie: loggedIn } });
    assert.deepEqual(socket.request.user, { id: "7", name: "Ada" });
    assert.equal(socket.request.isAuthenticated(), true);

    const [refusal] = await next(app.open(), "connect_error");
    assert.ok(refusal instanceof Error);
  },
);

eachTransport("cookie-parser, cors, compression and morgan take part", async (t, transport) => {
  const lines = [];
  const middleware = [
    load("cookie-parser")("secret"),
    load("cors")({ origin: "http://example.test", credentials: true }),
    load("compression")({ threshold: 0 }),
    load("morgan")(":method :status", { stream: { write: (line) => lines.push(line.trim()) } }),
  ];
  const app = await serve(t, {
    transport,
    prepare: (io) => middleware.forEach((one) => io.engine.use(one)),
  });
  const { client, socket } = await app.connect("/", { extraHeaders: { cookie: "taste=sweet" } });
  assert.deepEqual({ ...socket.request.cookies }, { taste: "sweet" });
  const text = "long ".repeat(1_000);
  socket.emit("text", text);
  assert.deepEqual(await next(client, "text"), [text]);

  const [{ values }] = await headersOfHandshake(t, app);
  assert.equal(values["access-control-allow-origin"], "http://example.test");
  assert.ok(lines.includes("GET 200"), lines.join());
});

/** The response headers of a handshake over polling and of one over WebSocket. */
async function headersOfHandshake(t, app) {
  const polling = await fetch(`${app.url}/socket.io/?EIO=4&transport=polling`);
  await polling.text();
  const ws = new WebSocket(`${app.url}/socket.io/?EIO=4&transport=websocket`);
  atEnd(t, () => ws.terminate());
  const [{ headers }] = await next(ws, "upgrade");
  return [
    { title: "polling", values: Object.fromEntries(polling.headers) },
    { title: "websocket", values: headers },
  ];
}

/** An Express application and a Socket.IO server that share a session, and its cookie. */
async function sessionApp(t, transport, extend) {
  const express = load("express")();
  const session = sessionWith({ saveUninitialized: false });
  express.use(session);
  const app = await serve(t, {
    transport,
    handler: express,
    prepare(io) {
      io.engine.use(session);
      extend?.(express, session, io);
      express.get("/count", (req, res) => {
        req.session.count = (req.session.count ?? 0) + 1;
        res.send(String(req.session.count));
      });
    },
  });
  const answer = await fetch(`${app.url}/count`);
  return { app, cookie: answer.headers.get("set-cookie").split(";")[0] };
}

function sessionWith(options) {
  return load("express-session")({ secret: "test", resave: false, ...options });
}
