//go:build tools

// Package tools pins the version of etcd that the test control plane runs.
package tools

import _ "go.etcd.io/etcd/server/v3"
