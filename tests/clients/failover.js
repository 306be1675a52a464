// node failover.js <client> <port,…>: writes and reads through whatever happens to the servers, until
// a line comes in; then reads everything back and prints, as one line of JSON, what it met. Each write
// is a field of its own, so that doing it again is harmless and an acknowledged one can be looked for.
'use strict';

const adapters = require('./adapters.js');

const WRITERS = 8;
const GIVE_UP_MS = 30_000;

// What a client may be told while leadership moves: by the servers, by the system, and, last, what
// ioredis (a connection, CLUSTER SLOTS or a node that did not come in time) and node-redis (no node
// answers, or the one that a command waited for is no longer named) say themselves. Anything else is
// a defect.
const RETRYABLE = [
  /^UNKNOWN outcome/, /^CLUSTERDOWN/, /^MOVED/, /^LOADING/, /^ERR The server is shutting down/,
  /Connection is closed/i, /Socket closed/i, /socket.*(hang|closed)/i, /ECONNREFUSED/, /ECONNRESET/,
  /EPIPE/, /Command timed out/i, /Failed to refresh slots cache/i, /Too many Cluster redirections/i,
  /Reached the max retries per request/i, /Command queue state error/i, /client is offline/i,
  /Cluster isn't ready/i, /Connection timeout/i,
  /^connect ETIMEDOUT/, /^timeout$/, /^Node is disconnected$/,
  /^All the root nodes are unavailable$/, /^Disconnects client$/, /^The client is closed$/,
];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const textOf = (error) => {
  const causes = error.errors || [];
  return [error.message, ...causes.map((e) => e.message)].filter(Boolean).join('; ') || String(error);
};

class Story {
  constructor() {
    this.acked = Array.from({ length: WRITERS }, () => []);
    this.errors = {};
    this.unexpected = [];
    this.stale = [];
    this.pauseMs = 0;
    this.done = false;
  }

  note(error) {
    const text = textOf(error);
    const kind = text.slice(0, 60);
    this.errors[kind] = (this.errors[kind] || 0) + 1;
    if (!RETRYABLE.some((pattern) => pattern.test(text)) && this.unexpected.length < 20) {
      this.unexpected.push(text);
    }
  }

  async write(client, writer) {
    const key = `writer:${writer}`;
    let last = Date.now();
    for (let n = 0; !this.done; ++n) {
      const field = String(n);
      try {
        await client.hset(key, field);
        this.acked[writer].push(field);
        this.pauseMs = Math.max(this.pauseMs, Date.now() - last);
        last = Date.now();
        if (!(await client.hexists(key, field))) this.stale.push(`${key} ${field}`);
      } catch (error) {
        this.note(error);
        await sleep(20);
      }
    }
  }

  async readBack(client) {
    const lost = [];
    for (let writer = 0; writer < WRITERS; ++writer) {
      const fields = new Set(await this.persist(() => client.hkeys(`writer:${writer}`)));
      for (const field of this.acked[writer]) {
        if (!fields.has(field)) lost.push(`writer:${writer} ${field}`);
      }
    }
    return lost;
  }

  async persist(ask) {
    for (const deadline = Date.now() + GIVE_UP_MS; ;) {
      try {
        return await ask();
      } catch (error) {
        this.note(error);
        if (Date.now() > deadline) throw error;
        await sleep(50);
      }
    }
  }
}

async function main() {
  const [name, ports] = process.argv.slice(2);
  const story = new Story();
  const client = await adapters[name].open(ports.split(',').map(Number), (e) => story.note(e));
  const writers = story.acked.map((_, i) => story.write(client, i));
  const begun = setInterval(() => {
    if (story.acked.every((fields) => fields.length > 20)) {
      clearInterval(begun);
      console.log('running');
    }
  }, 20);
  await new Promise((resolve) => process.stdin.once('data', resolve));
  story.done = true;
  await Promise.race([Promise.all(writers), sleep(GIVE_UP_MS).then(() => {
    throw new Error('a command has no answer');
  })]);
  const lost = await story.readBack(client);
  const acked = story.acked.reduce((sum, fields) => sum + fields.length, 0);
  const { errors, unexpected, stale, pauseMs } = story;
  console.log(JSON.stringify({ acked, lost, stale, unexpected, errors, pauseMs }));
  client.close();
  process.exit(0);
}

main().catch((error) => {
  console.log(JSON.stringify({ failed: textOf(error) }));
  process.exit(1);
});
