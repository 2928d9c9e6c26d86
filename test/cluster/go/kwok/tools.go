//go:build tools

// Package tools pins the version of kwok that the test control plane runs.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
