'use strict';
/*
 * Burns time in functions that are reached in as many ways, and tells how much in each, by the process's clock: its other threads, which
 * compile and collect, have little to do.
 *
 * Turns have exponentially distributed lengths, as in programs/c/turns.h: a regular rhythm would meet that of the sampler.
 */
const at = process.argv.indexOf('--seconds');
const SECONDS = at < 0 ? 3600 : Number(process.argv[at + 1]);
const TURN_NS = 5e6;

let sink = 0;
let isAsked = false;

function clock() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function burnA(until) {
  let total = 0;
  while (clock() < until) {
    for (let number = 0; number < 5000; number++) {
      total = (total + number * number) | 0;
    }
  }
  sink ^= total;
}

function burnB(until) {
  let total = 0;
  while (clock() < until) {
    for (let number = 0; number < 5000; number++) {
      total = (total ^ number) | 0;
    }
  }
  sink ^= total;
}

class Shop {
  burnC(until) {
    let total = 0;
    while (clock() < until) {
      for (let number = 0; number < 5000; number++) {
        total ^= number * 3;
      }
    }
    sink ^= total;
  }
}

function burnD(until) {
  let total = 0;
  while (clock() < until) {
    for (let number = 0; number < 5000; number++) {
      total = (total - number) | 0;
    }
  }
  sink ^= total;
}

function burnE(until) {
  let total = 0;
  while (clock() < until) {
    for (let number = 0; number < 5000; number++) {
      total = (total + (number | 1)) | 0;
    }
  }
  sink ^= total;
}

function deep(depth, until) {
  if (depth === 0) {
    burnA(until);
  } else {
    deep(depth - 1, until);
  }
}

function throughRecursion(until) {
  deep(20, until);
}

function throughCallback(until) {
  [2, 1].sort((one, other) => {
    burnB(until);
    return one - other;
  });
}

function* steps(until) {
  yield new Shop().burnC(until);
}

function throughGenerator(until) {
  for (const step of steps(until)) {
    sink ^= step === undefined;
  }
}

function throughException(until) {
  try {
    JSON.parse('{');
  } catch {
    burnD(until);
  }
}

/** Goes on when nothing is beneath it any more. */
async function throughAwait(until) {
  await null;
  burnE(until);
}

const WAYS = [
  ['burnA', 0.45, throughRecursion],
  ['burnB', 0.25, throughCallback],
  ['burnC', 0.15, throughGenerator],
  ['burnD', 0.1, throughException],
  ['burnE', 0.05, throughAwait],
];
const spent = Object.fromEntries(WAYS.map(([name]) => [name, 0]));
let turns = 0;

function chosen() {
  let place = Math.random();
  return WAYS.find(([, share]) => (place -= share) < 0) ?? WAYS[0];
}

async function work() {
  const end = Date.now() + SECONDS * 1000;
  await null;
  while (Date.now() < end && !isAsked) {
    const [name, , through] = chosen();
    const before = clock();
    const waits = through(before - Math.log(1 - Math.random()) * TURN_NS);
    if (waits) {
      await waits;
    }
    spent[name] += clock() - before;
    turns += 1;
    if (turns % 64 === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ turns, process_cpu_ns: (user + system) * 1000, cpu_ns: spent }));
}

console.log('READY');
process.stdin.once('data', () => {
  process.stdin.on('data', () => {
    isAsked = true;
  });
  work();
});
