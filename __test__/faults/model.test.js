"use strict";

// Random sequences of operations against the model of what Socket.IO promises; see model.js.
//
//   MODEL_SEQUENCES=5000 MODEL_SEED=1 node __test__/run.js __test__/faults/model.test.js

const { test: plainTest } = require("node:test");
const { World } = require("./model");
const { Dice } = require("../../bench/soak/dice");
const { serve } = require("../support/app");

const SEQUENCES = Number(process.env.MODEL_SEQUENCES ?? 60);
const FIRST_SEED = Number(process.env.MODEL_SEED ?? 1);
const LENGTH = 60;

plainTest(`${SEQUENCES} random sequences of ${LENGTH} operations keep every promise`, async (t) => {
  const app = await serve(t);
  let operations = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEQUENCES; seed++) {
    // Neighbouring seeds must not begin alike.
    const world = new World(app, new Dice(Math.imul(seed + 1, 0x9e3779b1)));
    try {
      await world.run(LENGTH);
    } catch (err) {
      console.error(`MODEL_SEED=${seed}: ${world.log.join(", ")}`);
      throw err;
    }
    app.clients.length = 0;
    operations += world.operations;
  }
  t.diagnostic(`${operations} operations`);
});
