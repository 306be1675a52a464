// One face for all clients: hset, hexists, hkeys and close, as promises, and onError for what a client
// reports beside its replies. Options are those that a careful user sets, no more.
'use strict';

const host = '127.0.0.1';
const retryMs = (attempt) => Math.min(20 * attempt, 200);

function ofIoredis(client) {
  return {
    hset: (key, field) => client.hset(key, field, '1'),
    hexists: async (key, field) => (await client.hexists(key, field)) === 1,
    hkeys: (key) => client.hkeys(key),
    close: () => client.disconnect(),
  };
}

function ofNodeRedis(client) {
  return {
    hset: (key, field) => client.hSet(key, field, '1'),
    hexists: async (key, field) => Boolean(await client.hExists(key, field)),
    hkeys: (key) => client.hKeys(key),
    close: () => (client.destroy || client.disconnect).call(client),
  };
}

async function ioredisCluster(name, ports, onError) {
  const { Cluster } = require(name);
  const client = new Cluster(ports.map((port) => ({ host, port })), {
    clusterRetryStrategy: retryMs,
    slotsRefreshTimeout: 2000,
    redisOptions: { connectTimeout: 1000, commandTimeout: 3000 },
  });
  client.on('error', onError);
  client.on('node error', onError);
  return ofIoredis(client);
}

async function ioredisPlain(name, ports, onError) {
  const Redis = require(name).default;
  const client = new Redis({ host, port: ports[0], retryStrategy: retryMs, commandTimeout: 3000 });
  client.on('error', onError);
  return ofIoredis(client);
}

async function nodeRedisCluster(name, ports, onError) {
  const client = require(name).createCluster({
    rootNodes: ports.map((port) => ({ url: `redis://${host}:${port}` })),
    defaults: { socket: { reconnectStrategy: retryMs, connectTimeout: 1000 } },
  });
  client.on('error', onError);
  client.on('node-error', onError);
  await client.connect();
  return ofNodeRedis(client);
}

async function nodeRedisPlain(name, ports, onError) {
  const client = require(name).createClient({
    url: `redis://${host}:${ports[0]}`,
    socket: { reconnectStrategy: retryMs, connectTimeout: 1000 },
  });
  client.on('error', onError);
  await client.connect();
  return ofNodeRedis(client);
}

// By the names that the command line knows; cluster: needs cluster-enabled yes.
module.exports = {
  'ioredis-cluster': { cluster: true, open: (...a) => ioredisCluster('ioredis', ...a) },
  'ioredis-5-cluster': { cluster: true, open: (...a) => ioredisCluster('ioredis-5', ...a) },
  'node-redis-cluster': { cluster: true, open: (...a) => nodeRedisCluster('redis', ...a) },
  'node-redis-4-cluster': { cluster: true, open: (...a) => nodeRedisCluster('redis-4', ...a) },
  ioredis: { cluster: false, open: (...a) => ioredisPlain('ioredis', ...a) },
  'node-redis': { cluster: false, open: (...a) => nodeRedisPlain('redis', ...a) },
};
