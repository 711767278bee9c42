// Everything that a server can be made of, and its settings afterwards.

import * as http from "http";
import * as http2 from "http2";
import * as https from "https";
import { Server, type ServerOptions } from "socket.io";
import { expectType } from "../expect";

const options: Partial<ServerOptions> = {
  path: "/ws",
  serveClient: false,
  connectTimeout: 1000,
  parser: { Encoder: class {}, Decoder: class {} },
  connectionStateRecovery: { maxDisconnectionDuration: 1000, skipMiddlewares: false },
  cleanupEmptyChildNamespaces: true,
  pingTimeout: 1,
  pingInterval: 2,
  upgradeTimeout: 3,
  maxHttpBufferSize: 4,
  allowRequest: async (req, callback) => {
    expectType<http.IncomingMessage>()(req);
    callback(null, true);
    callback("no", false);
    callback(undefined, false);
  },
  transports: ["polling", "websocket", "webtransport"],
  allowUpgrades: false,
  perMessageDeflate: {
    threshold: 1024,
    serverNoContextTakeover: true,
    serverMaxWindowBits: 10,
    zlibDeflateOptions: { level: 3, dictionary: Buffer.alloc(1) },
    zlibInflateOptions: { chunkSize: 1024 },
    concurrencyLimit: 10,
  },
  httpCompression: { threshold: 2048 },
  wsEngine: class {},
  initialPacket: "hello",
  cookie: { name: "io", httpOnly: true, sameSite: "strict", maxAge: 86400 },
  cors: { origin: ["https://a.example", /\.b\.example$/], credentials: true, methods: "GET" },
  allowEIO3: true,
  destroyUpgrade: false,
  destroyUpgradeTimeout: 10,
  addTrailingSlash: false,
};

new Server();
new Server(options);
new Server(3000, options);
new Server(undefined, options);
new Server(http.createServer(), options);
new Server(https.createServer(), options);
new Server(http2.createServer(), options);
new Server(http2.createSecureServer(), options);

new Server({ perMessageDeflate: true, httpCompression: false, cookie: true });
new Server({ cors: { origin: "*" } });
new Server({ cors: { origin: (origin, done) => done(null, origin === "https://a.example") } });
new Server({
  cors: (req, done) => done(null, { origin: req.headers.origin }),
});

// @ts-expect-error: not a port
new Server("3000");
// @ts-expect-error: no such option
new Server({ pingIntervall: 1 });
// @ts-expect-error: milliseconds
new Server({ pingInterval: "1s" });
// @ts-expect-error: no such transport
new Server({ transports: ["carrier pigeon"] });
// @ts-expect-error: a cookie needs a name
new Server({ cookie: { path: "/" } });
// @ts-expect-error: no such origin
new Server({ cors: { origin: 1 } });

const io = new Server();
expectType<string>()(io.path());
expectType<Server>()(io.path("/x"));
expectType<boolean>()(io.serveClient());
expectType<Server>()(io.serveClient(false));
expectType<number>()(io.connectTimeout());
expectType<Server>()(io.connectTimeout(1));
expectType<Server>()(io.attach(3000, options));
expectType<Server>()(io.listen(http.createServer()));
expectType<void>()(io.attachApp({}, options));
expectType<Server>()(io.bind({}));
expectType<Promise<void>>()(io.close());
expectType<Promise<void>>()(io.close((err) => expectType<Error | undefined>()(err)));
expectType<http.Server | https.Server | http2.Http2SecureServer | http2.Http2Server>()(
  io.httpServer,
);
expectType<Partial<ServerOptions>>()(io._opts);
