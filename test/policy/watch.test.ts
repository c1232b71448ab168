import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Watch } from '../../src/policy/watch.ts';

const NEVER = 1_000_000;

/** One whose looks end when they are told to. */
function watched(slowMs = NEVER): { watch: Watch; open: (() => void)[]; told: string[] } {
  const open: (() => void)[] = [];
  const told: string[] = [];
  const look = async (): Promise<void> => {
    told.push('look');
    await new Promise<void>((resolve) => open.push(resolve));
    told.push('end');
    if (told.filter((text) => text === 'end').length === 1) throw new RangeError('the first one fails');
  };
  const events = { look, onFault: (error: unknown) => told.push(String(error)), onSlow: () => told.push('slow') };
  return { watch: new Watch(events, { everyMs: 1, mostMs: 1, slowMs }), open, told };
}

test('two looks never overlap, whoever asked for them, and one that fails is followed by others', async () => {
  const { watch, open, told } = watched();
  const [first, second] = [watch.look(), watch.look()];
  watch.start();
  for (let i = 0; i < 3; i++) {
    await expect.poll(() => open.length).toBe(1);
    await delay(20);
    open.splice(0).forEach((end) => {
      end();
    });
  }
  await expect(first).rejects.toThrow('the first one fails');
  await second;
  await expect.poll(() => open.length).toBe(1);
  watch.end();
  for (const end of open.splice(0)) end();
  await delay(20);
  expect(told).toEqual(['look', 'end', 'look', 'end', 'look', 'end', 'look', 'end']);
});

test('a fault is told, and so is a look that takes long, once', async () => {
  const { watch, open, told } = watched(5);
  watch.start();
  await expect.poll(() => told).toEqual(['look', 'slow']);
  await delay(30);
  for (const end of open.splice(0)) end();
  await expect.poll(() => told).toEqual(['look', 'slow', 'end', 'RangeError: the first one fails', 'look', 'slow']);
  watch.end();
  for (const end of open.splice(0)) end();
});
