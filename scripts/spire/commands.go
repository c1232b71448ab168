//go:build commands

// Package commands names what scripts/spire/install builds, so that go.mod and go.sum hold what it needs and no more.
package commands

import (
	_ "github.com/spiffe/spire/cmd/spire-agent"
	_ "github.com/spiffe/spire/cmd/spire-server"
)
