/** The node × GPU picture for a terminal: who shares how, and how full each GPU is. */

import Table from 'cli-table3';
import type { Ledger } from '../core/ledger.ts';
import { migProfileOf } from '../core/resources.ts';
import { SHARING_MODES } from '../core/sharing-mode.ts';
import { type SlotRow, slotRows } from '../core/simulation/slot-replay.ts';

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
  return slotGrid([...ledger.nodes()].flatMap((node) => slotRows(ledger, node)));
}

/** The same of rows from anywhere. */
export function slotGrid(rows: readonly SlotRow[]): string {
  const widest = Math.max(0, ...rows.map(({ slots }) => slots.length));
  const lines = rows
    .toSorted((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0))
    .map((row) => [
      row.node,
      row.product,
      sharing(row),
      ...Array.from({ length: widest }, (_, gpu) => cell(row.held[gpu] ?? 0, row.slots[gpu] ?? 0)),
    ]);
  return columns(
    ['NODE', 'GPU MODEL', 'SHARED BY', ...Array.from({ length: widest }, (_, gpu) => `GPU ${gpu}`)],
    lines,
  );
}

function cell(held: number, slots: number): string {
  if (slots === 0) return '';
  // Any use shows, and only a full GPU looks full.
  const filled = held === 0 ? 0 : Math.max(1, Math.floor((BAR_WIDTH * held) / slots));
  const bar = '█'.repeat(Math.min(BAR_WIDTH, filled)).padEnd(BAR_WIDTH, '░');
  return `${bar} ${held}/${slots}`;
}

function sharing({ mode, resource, slots }: SlotRow): string {
  const { title } = SHARING_MODES[mode];
  if (mode === 'exclusive') return title;
  const profile = migProfileOf(resource);
  return `${profile ? `${title} ${profile.name}` : title} ×${Math.max(0, ...slots)}`;
}
