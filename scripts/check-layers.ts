/**
 * Refuses imports that do not point down (`layers.ts` says where down is), of values and of types.
 *
 * usage: node scripts/check-layers.ts
 */

import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { dirname, join } from 'node:path/posix';
import { type Expression, parseSync, Visitor } from 'oxc-parser';
import { LAYERS, WITHOUT_PACKAGES } from './layers.ts';

/** What the file at this path, of this text, imports against the rules. */
export function refusedImports(path: string, text: string): string[] {
  const folder = folderOf(path);
  const allowed = LAYERS[folder] ?? [];
  return importsOf(path, text).flatMap((imported) => {
    if (!imported.startsWith('.')) {
      return WITHOUT_PACKAGES.includes(folder) ? [`${path} imports ${imported}: ${folder} has no dependency`] : [];
    }
    const target = folderOf(join(dirname(path), imported));
    if (target === folder || allowed.includes(target)) return [];
    return [`${path} imports ${imported}: ${folder} may import ${allowed.join(', ') || 'nothing but itself'}`];
  });
}

/** Folders that the list of layers lacks, or has in vain. */
export function unknownFolders(paths: readonly string[]): string[] {
  const folders = new Set(paths.map(folderOf));
  return [
    ...[...folders].filter((folder) => !(folder in LAYERS)).map((folder) => `${folder} is not in scripts/layers.ts`),
    ...Object.keys(LAYERS)
      .filter((folder) => !folders.has(folder))
      .map((folder) => `${folder} of scripts/layers.ts is not there`),
  ];
}

/** `core` of `src/core/mig/profile.ts`; all of a path that is not in `src`. */
function folderOf(path: string): string {
  const [root, folder] = path.split('/');
  return root === 'src' && folder ? folder : path;
}

function importsOf(path: string, text: string): string[] {
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const imports: string[] = [];
  const take = ({ source }: { source: Expression | null }) => {
    if (source === null) return;
    if (source.type !== 'Literal' || typeof source.value !== 'string') throw new Error(`${path}: a computed import`);
    imports.push(source.value);
  };
  new Visitor({
    ImportDeclaration: take,
    ImportExpression: take,
    ExportAllDeclaration: take,
    ExportNamedDeclaration: take,
    TSImportType: take,
  }).visit(program);
  return imports;
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..');
  const paths = globSync('src/**/*.ts', { cwd: root });
  const faults = [
    ...unknownFolders(paths),
    ...paths.flatMap((path) => refusedImports(path, readFileSync(join(root, path), 'utf8'))),
  ];
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
