module tpm-attestor/bench/event-log

go 1.24.0

require github.com/google/go-attestation v0.6.0

require (
	github.com/google/go-tpm v0.9.6 // indirect
	golang.org/x/sys v0.37.0 // indirect
)
