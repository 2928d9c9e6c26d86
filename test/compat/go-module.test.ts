/** The go.mod that builds a version of Kubernetes follows from Kubernetes's own. */

import tap from 'tap';
import { goModule, stagedModules } from './go-module.ts';

const KUBERNETES = `// This is a generated file. Do not edit directly.

module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
	bitbucket.org/bertimus9/systemstat v0.5.0
	github.com/JeffAshton/win_pdh v0.0.0-20161109143554-76bb4ee9f0ab
	github.com/kylelemons/godebug v1.1.0 // indirect
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
)

require (
	k8s.io/apimachinery v0.0.0 // indirect
	k8s.io/kube-openapi v0.0.0-20250710124328-f3f2b991d03b
)

require k8s.io/mount-utils v0.0.0

replace (
	k8s.io/api => ./staging/src/k8s.io/api
)
`;

tap.test('modules of its own repository are those at v0.0.0, and no pseudo-version is one', async (t) => {
  t.same(stagedModules(KUBERNETES), ['k8s.io/api', 'k8s.io/apimachinery', 'k8s.io/mount-utils']);
});

tap.test('each is replaced by what is published with the same minor and patch', async (t) => {
  t.equal(
    goModule('v1.34.4', KUBERNETES),
    `module gpu-autoscaler/test/compat/kubernetes

go 1.24.0
godebug default=go1.24

require k8s.io/kubernetes v1.34.4

replace (
	k8s.io/api => k8s.io/api v0.34.4
	k8s.io/apimachinery => k8s.io/apimachinery v0.34.4
	k8s.io/mount-utils => k8s.io/mount-utils v0.34.4
)
`,
  );
});

tap.test('the defaults of GODEBUG may be missing, or written as a block', async (t) => {
  const module = (godebug: string) => goModule('v1.30.14', `go 1.22.0\n${godebug}\nrequire k8s.io/api v0.0.0\n`);
  t.match(module(''), /^go 1\.22\.0\n\nrequire k8s\.io\/kubernetes v1\.30\.14$/m);
  t.match(
    module('godebug (\n\tdefault=go1.24\n\twinsymlink=0\n)\n'),
    /^godebug default=go1\.24\ngodebug winsymlink=0$/m,
  );
});
