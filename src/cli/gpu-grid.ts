/** The node × GPU picture for a terminal: who shares how, and how full each GPU is. */

import Table from 'cli-table3';
import type { Pool } from '../core/inventory.ts';
import type { Ledger } from '../core/ledger.ts';
import { migProfileOf } from '../core/resources.ts';
import { slotsHeldPerGpu } from '../core/savings.ts';

const BAR_WIDTH = 8;
const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const;

/** Rows under headings, aligned by two spaces, without lines or colours. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString().replace(/ +$/gm, '');
}

/** One line for each node and each kind of slot that it offers, in order of names. */
export function gpuGrid(ledger: Ledger): string {
  const nodes = [...ledger.nodes()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const widest = Math.max(0, ...nodes.map(({ gpus }) => gpus));
  const rows = nodes.flatMap(({ name, product, pools }) =>
    pools.map((pool) => {
      const held = slotsHeldPerGpu(ledger, name, pool.resource);
      const cells = Array.from({ length: widest }, (_, gpu) => cell(held[gpu] ?? 0, pool.slotsPerGpu[gpu] ?? 0));
      return [name, product, sharing(pool), ...cells];
    }),
  );
  return columns(['NODE', 'GPU MODEL', 'SHARED BY', ...Array.from({ length: widest }, (_, gpu) => `GPU ${gpu}`)], rows);
}

function cell(held: number, slots: number): string {
  if (slots === 0) return '';
  // Any use shows, and only a full GPU looks full.
  const filled = held === 0 ? 0 : Math.max(1, Math.floor((BAR_WIDTH * held) / slots));
  const bar = '█'.repeat(Math.min(BAR_WIDTH, filled)).padEnd(BAR_WIDTH, '░');
  return `${bar} ${held}/${slots}`;
}

function sharing({ mode, resource, slotsPerGpu }: Pool): string {
  const ways = Math.max(0, ...slotsPerGpu);
  const kind = { exclusive: 'whole GPUs', mps: 'MPS', timeslicing: 'time-slicing', mig: 'MIG' }[mode];
  if (mode === 'exclusive') return kind;
  const profile = migProfileOf(resource);
  return `${profile ? `${kind} ${profile.name}` : kind} ×${ways}`;
}
