import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { tpmAttestor } from '../../src/testing/spire-plugin-block.ts';
import type { SpireServer } from '../../src/testing/spire-server.ts';
import { startPostgreSql } from '../support/postgresql.ts';
import { admitting, agentOf, errorOf, says, startServer } from '../support/spire.ts';
import { startSwtpm } from '../support/swtpm.ts';

const balancer: LoadBalancer = await startLoadBalancer();
afterAll(() => balancer.stop());

test('on one PostgreSQL are one trust domain: a node attests at one, rotates at the other, and is banned from both', async () => {
  const postgreSql = await startPostgreSql();
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const start = (): Promise<SpireServer> =>
    startServer({
      nodeAttestors: [tpmAttestor('server', admitting([tpm]))],
      dataStore: postgreSql.dataStore,
      agentTtl: '20s',
    });
  const first = await start();
  const second = await start();
  try {
    balancer.lead(first.port);
    const options = { serverPort: balancer.port };
    const agent = await agentOf(second, tpm, options);
    const id = await agent.attested();
    await first.process.log.until('attestation at the first', says('node attested', { agent_id: id }));

    balancer.lead(second.port);
    await second.process.log.until('rotation at the second', says('node attested', { agent_id: id }));
    await agent.process.log.until('its new SVID', says('Successfully reattested node'));
    for (const server of [first, second]) expect(await server.nodes()).toMatchObject([{ id, banned: false }]);

    await first.command('agent', 'ban', '-spiffeID', id);
    expect(await agent.process.exited).toMatchObject({ code: 1 });
    for (const server of [first, second]) {
      balancer.lead(server.port);
      const again = await agentOf(server, tpm, options);
      expect(await again.process.exited).toMatchObject({ code: 1 });
      const refused = await again.process.log.until('refusal', says('Agent crashed'));
      expect(errorOf(refused)).toMatch(/PermissionDenied.*agent is banned/);
    }
  } finally {
    await Promise.all([first.stop(), second.stop()]);
    await postgreSql.stop();
  }
}, 120_000);

/** One address in front of several servers. */
interface LoadBalancer {
  readonly port: number;
  /** From now on connections go to this port; those that are open end. */
  lead(port: number): void;
  stop(): void;
}

async function startLoadBalancer(): Promise<LoadBalancer> {
  let target = 0;
  const open = new Set<Socket>();
  const listener: Server = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(from);
      from
        .on('error', () => to.destroy())
        .on('close', () => {
          open.delete(from);
          to.destroy();
        });
      from.pipe(to);
    }
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    lead(port) {
      target = port;
      for (const socket of open) socket.destroy();
    },
    stop() {
      for (const socket of open) socket.destroy();
      listener.close();
    },
  };
}
