/**
 * The Go module that builds one version of Kubernetes. Pure.
 *
 * `k8s.io/kubernetes` is not made to be required by others: its go.mod names the modules of its own repository as
 * `v0.0.0`, and finds them in folders beside it. Each of them is published with the same minor and patch, as
 * `v0.34.4` for `v1.34.4`: a replace line for each is all that is missing.
 */

/** A line of a require block, or a require of its own, whose version is no release. */
const STAGED = /^\s*(?:require\s+)?([\w.\-/]+)\s+v0\.0\.0(?:\s|$)/;

/** Modules that a go.mod of Kubernetes takes from its own repository, sorted. */
export function stagedModules(goMod: string): string[] {
  const names = goMod.split('\n').flatMap((line) => STAGED.exec(line)?.[1] ?? []);
  return [...new Set(names)].sort();
}

/**
 * The text of a go.mod. It keeps the language version and the GODEBUG defaults of Kubernetes's own, with which the
 * released programs are built.
 *
 * @param version `v1.34.4`
 * @param goMod the go.mod of `k8s.io/kubernetes` at that version
 */
export function goModule(version: string, goMod: string): string {
  const staged = version.replace(/^v1\./, 'v0.');
  const [language = ''] = /^go \S+$/m.exec(goMod) ?? [];
  return [
    'module gpu-autoscaler/test/compat/kubernetes',
    '',
    language,
    ...debugDefaults(goMod).map((setting) => `godebug ${setting}`),
    '',
    `require k8s.io/kubernetes ${version}`,
    '',
    'replace (',
    ...stagedModules(goMod).map((name) => `\t${name} => ${name} ${staged}`),
    ')',
    '',
  ].join('\n');
}

/** Settings of `godebug` lines, and of a block of them. */
function debugDefaults(goMod: string): string[] {
  const block = /^godebug \(\n([^)]*)\)/m.exec(goMod)?.[1]?.split('\n') ?? [];
  const lines = [...goMod.matchAll(/^godebug ([^(\s]+)$/gm)].map(([, setting = '']) => setting);
  return [...lines, ...block].map((setting) => setting.trim()).filter((setting) => setting !== '');
}
