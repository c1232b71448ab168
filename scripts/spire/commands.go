//go:build commands

// Package commands imports the programs that scripts/spire/install builds, so that go.mod and go.sum list exactly their
// dependencies.
package commands

import (
	_ "github.com/spiffe/spire/cmd/spire-agent"
	_ "github.com/spiffe/spire/cmd/spire-server"
)
