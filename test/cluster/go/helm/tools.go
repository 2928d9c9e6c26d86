//go:build tools

// Package tools pins the version of helm that the chart tests run.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
